"""`make setup`: find or install what the project needs on this machine; start nothing.

It runs on the system's Python before anything is installed, so it imports the standard library alone.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from local import pulumi_tools
from local.console import print_in_any_encoding, run, step
from local.debian import can_install, install_packages
from local.failures import add_hint, explain_os_error
from local.lock import hold_lock
from local.pulumi_tools import REQUIREMENTS, pinned_version
from local.workspace import BIN, VENV, LocalError

DOCKER_PACKAGES = ("docker.io", "iptables", "tini")


def setup() -> None:
    """Find or install everything. It is safe to repeat, and quick if there is nothing to do."""
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
            try:
                run([*uv, *packages], log="uv-install")
            except (
                LocalError
            ):  # pip is configured for an index that uv does not know; it takes three times as long
                run([*pip, *packages], log="pip-install")
        except LocalError as error:
            raise LocalError(_explain_failed_download(str(error))) from error
    marker.write_text(wanted)


def _explain_failed_download(message: str) -> str:
    """Return pip's last error alone: before it, pip prints one line for each package and attempt."""
    errors = [line.strip() for line in message.splitlines() if "ERROR:" in line]
    log = message.rpartition("Full output: ")[2]
    return (
        f"the Python packages can't be installed. {errors[-1] if errors else message}\n"
        "Check the network, the proxy (HTTPS_PROXY) and pip's index (PIP_INDEX_URL), then run the same command "
        f"again. Full output: {log}"
    )


if __name__ == "__main__":
    print_in_any_encoding()
    try:
        setup()
    except LocalError as error:
        sys.exit(f"\nError: {add_hint(str(error))}")
    except OSError as error:
        if (message := explain_os_error(error)) is None:
            raise
        sys.exit(f"\nError: {message}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Every step is safe to repeat; run the same command again.")
