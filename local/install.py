"""`make setup`: find or install what the project needs on this machine; start nothing.

It runs on the system's Python before anything is installed, so it imports the standard library alone.
"""

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

from local import pulumi_tools
from local.console import run, step
from local.debian import can_install, install_packages
from local.lock import hold_lock
from local.pulumi_tools import REQUIREMENTS, pinned_version
from local.workspace import BIN, VENV, LocalError

DOCKER_PACKAGES = ("docker.io", "iptables", "tini")
OLDEST_PYTHON = (3, 11)


def setup() -> None:
    """Find or install everything. It is safe to repeat, and quick if there is nothing to do."""
    if sys.version_info < OLDEST_PYTHON:
        raise LocalError(
            f"this is Python {platform.python_version()}, but 3.11 or later is needed. Choose another: "
            "make up PYTHON=python3.12"
        )
    BIN.mkdir(parents=True, exist_ok=True)
    with hold_lock("setup"):
        _install_docker()
        _install_python_packages()
        pulumi_tools.install()


def _install_docker() -> None:
    """Install an engine on Debian if Docker is missing; elsewhere `make up` says what to do."""
    found = os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists() or shutil.which("dockerd")
    if not found and can_install():
        with step(f"Installing a Docker engine: {' '.join(DOCKER_PACKAGES)}"):
            install_packages(*DOCKER_PACKAGES)


def _install_python_packages() -> None:
    if VENV.is_symlink():
        return  # it belongs to another clone, which installs for both
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    marker = VENV / "installed"  # written last, so that an interrupted installation is repeated
    if marker.is_file() and marker.read_text() == wanted:
        return
    with step("Installing the Python packages into .venv"):
        run([sys.executable, "-m", "venv", str(VENV)], log="venv", hint="On Debian, install python3-venv.")
        python = str(VENV / "bin" / "python")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", python]
        packages = ["--require-hashes", "-r", "requirements.txt"]
        try:
            run([*pip, f"uv=={pinned_version('uv')}"], log="uv")
            run([*uv, *packages], log="uv-install")
        except LocalError:  # pip is configured for an index that uv does not know; it takes three times as long
            run([*pip, *packages], log="pip-install")
    marker.write_text(wanted)


if __name__ == "__main__":
    try:
        setup()
    except LocalError as error:
        sys.exit(f"\nError: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Every step is safe to repeat; run the same command again.")
