"""Programs that measure, and that only measuring needs."""

import shutil

from local.debian import apt_install, is_debian_root
from local.workspace import LocalError


def need(*names: str) -> None:
    """Have these programs, from Debian's packages of their names if need be. Raises LocalError."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing and not is_debian_root():
        raise LocalError(f"{' and '.join(missing)} must be on PATH; only on Debian, as root, is that done for you")
    if missing:
        apt_install(*missing)
