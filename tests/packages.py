"""Programs that tests need and Debian has."""

import os
import shutil
import subprocess


def program(name: str, package: str | None = None) -> str:
    """Return the path of the program; install its package, of its own name unless given, where it is missing."""
    if shutil.which(name) is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = [
            "apt-get",
            "-o",
            "DPkg::Lock::Timeout=300",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            package or name,
        ]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    path = shutil.which(name)
    assert path is not None
    return path
