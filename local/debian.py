"""Debian packages, on machines where we may install them."""

import os
import shutil
from pathlib import Path

from local.console import run
from local.workspace import LocalError


def can_install() -> bool:
    """Return whether Debian packages can be installed here."""
    return Path("/etc/debian_version").exists() and os.geteuid() == 0


def install_packages(*packages: str) -> None:
    """Install Debian packages; wait while another process installs some. Raises `LocalError`."""
    if not can_install():
        raise LocalError(f"{' and '.join(packages)} must be installed. On Debian, as root, this is done for you.")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    run([*apt, "update"], log="apt-update")
    run([*apt, "install", "-y", "--no-install-recommends", *packages], log="apt-install")


def find_program(name: str, package: str = "") -> str:
    """Return the path of a program; install its Debian package if it is missing. Raises `LocalError`."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if shutil.which(name, path=path) is None:
        install_packages(package or name)
    return str(shutil.which(name, path=path))
