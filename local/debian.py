"""Debian's packages, on a machine where we may install them."""

import os
from pathlib import Path

from local.console import run


def is_debian_root() -> bool:
    """Whether we may install Debian's packages here."""
    return Path("/etc/debian_version").exists() and os.geteuid() == 0


def apt_install(*packages: str) -> None:
    """Install Debian's packages."""
    run(["apt-get", "update"], log="apt-update")
    run(["apt-get", "install", "-y", "--no-install-recommends", *packages], log="apt-install")
