"""What a failure of this machine means: one sentence, with what to do.

`make setup` uses it before anything is installed, so it imports the standard library alone.
"""

import errno
import re
from pathlib import Path

from local.workspace import CACHE, ROOT

FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOENT)
FREE_SPACE = "Free some space (`docker system df` shows what Docker uses), then run the same command again."
HINTS = {
    re.compile("no space left on device|disk quota exceeded", re.IGNORECASE): f"The disk is full. {FREE_SPACE}",
    re.compile(
        "name resolution|name or service not known|could not resolve|no such host|network is unreachable"
        "|no route to host",
        re.IGNORECASE,
    ): "The network can't be reached. Check it, and the proxy if there is one (HTTPS_PROXY), then run the same "
    "command again.",
    re.compile("incorrect passphrase|could not decrypt"): "A secret in the stack's file or its encryptionsalt was "
    "changed, or is from another file. Restore the file from git, or set the secret again by `pulumi config set "
    "--secret KEY`, after `. ./activate`.",
}
"""What programs print, and what to do about it."""


def explain_os_error(error: OSError) -> str | None:
    """Return what to do about a disk that is full or can't be written to; None for any other error."""
    what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if error.errno in FULL:
        return f"{what}. {FREE_SPACE}"
    if error.errno not in NOT_WRITABLE or not error.filename:
        return None
    file = Path(str(error.filename))
    if file.is_relative_to(ROOT):
        if error.errno == errno.ENOENT:
            return None
        return f"{what}. The clone must be writable: check its owner and its disk, or clone to another folder."
    if file.is_relative_to(CACHE.parent) or file.is_relative_to(Path.home()):
        folders = "export XDG_CACHE_HOME=/tmp/cache PULUMI_HOME=/tmp/pulumi"
        return f"{what}. Where the home folder can't be written to, name others: {folders}"
    return None


def add_hint(message: str) -> str:
    """Return an error with what to do, if a program says that the disk is full or the network is down."""
    hints = [hint for pattern, hint in HINTS.items() if pattern.search(message)]
    return "\n".join([message, *hints])
