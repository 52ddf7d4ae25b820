"""Paths: which ones a service or route may have, and how the path of a request is read."""

import re
from urllib.parse import unquote

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_RESERVED = frozenset(b"!*'();:@&=+$,/?%#[]")
_NEEDS_ESCAPE = re.compile(rb"[^!#$&'()*+,/:;=?@\[\]A-Za-z0-9_.~%-]")


def path(value: str) -> str | None:
    """Check the path of a service."""
    if not value.startswith("/"):
        return "should start with: /"
    if "//" in value:
        return "must not have empty segments"
    if not re.fullmatch(r"[A-Za-z0-9.\-_~/%:@!$&'()*+,;=]*", value):
        return f"invalid path: '{value}' (characters outside of the reserved list of RFC 3986 found)"
    if bad := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", value):
        return f"invalid url-encoded value: '{bad[0]}'"
    return None


def route_path(value: str) -> str | None:
    """Check a path of a route: a prefix, or after `~` a regular expression, of which the stand-in makes no use."""
    if not value.startswith(("/", "~/")):
        return "should start with: / (fixed path) or ~/ (regex path)"
    if "//" in value:
        return "must not have empty segments"
    if value.startswith("~"):
        return None
    if (error := path(value)) and error.startswith("invalid url-encoded"):
        return error
    normalized = normalize_path(value)
    return None if normalized == value else f"non-normalized path, consider use '{normalized}' instead"


def normalize_path(path: str) -> str:
    """Return a path in the form in which routes are looked up (kong/tools/uri.lua, `normalize`)."""

    def decode(code: re.Match[bytes]) -> bytes:
        number = int(code[1], 16)
        return code[0].upper() if number in _RESERVED else bytes([number])

    *folders, last = _ESCAPE.sub(decode, path.encode(errors="surrogateescape")).split(b"/")
    kept: list[bytes] = []
    for part in [*folders, last]:
        if part == b"..":
            del kept[-1:]
        elif part not in (b"", b"."):
            kept.append(part)
    end = b"/" if kept and last in (b"", b".", b"..") else b""
    return (b"/" + b"/".join(kept) + end).decode(errors="surrogateescape")


def escape_path(path: str) -> str:
    """Return a path as the upstream gets it (kong/tools/uri.lua, `escape`)."""
    encoded = path.encode(errors="surrogateescape")
    return _NEEDS_ESCAPE.sub(lambda found: b"%%%02X" % found[0][0], encoded).decode()


def is_bad_path(path: str) -> bool:
    """Return whether nginx refuses a path, because of a broken escape or a way out of the root."""
    depth = 0
    for part in unquote(path, errors="surrogateescape").split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return re.search("%(?![0-9A-Fa-f]{2})|%00", path) is not None
