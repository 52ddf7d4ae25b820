"""Paths: what a service or a route may have as one, and how a request's is read."""

import re
from urllib.parse import unquote


def path(value: str) -> str | None:
    if not value.startswith("/"):
        return "should start with: /"
    if "//" in value:
        return "must not have empty segments"
    if not re.fullmatch(r"[A-Za-z0-9.\-_~/%:@!$&'()*+,;=]*", value):
        return f"invalid path: '{value}' (characters outside of the reserved list of RFC 3986 found)"
    if bad := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", value):
        return f"invalid url-encoded value: '{bad[0]}'"
    return None


_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_RESERVED = frozenset(b"!*'();:@&=+$,/?%#[]")


def normalized(path: str) -> str:
    """A path as routes are looked up by: kong/tools/uri.lua, `normalize`."""

    def decoded(code: re.Match[bytes]) -> bytes:
        number = int(code[1], 16)
        return code[0].upper() if number in _RESERVED else bytes([number])

    *folders, last = _ESCAPE.sub(decoded, path.encode(errors="surrogateescape")).split(b"/")
    kept: list[bytes] = []
    for part in [*folders, last]:
        if part == b"..":
            del kept[-1:]
        elif part not in (b"", b"."):
            kept.append(part)
    end = b"/" if kept and last in (b"", b".", b"..") else b""
    return (b"/" + b"/".join(kept) + end).decode(errors="surrogateescape")


def route_path(value: str) -> str | None:
    if not value.startswith(("/", "~/")):
        return "should start with: / (fixed path) or ~/ (regex path)"
    if "//" in value:
        return "must not have empty segments"
    if value.startswith("/"):
        if (fault := path(value)) and fault.startswith("invalid url-encoded"):
            return fault
        plain = normalized(value)
        return None if plain == value else f"non-normalized path, consider use '{plain}' instead"
    try:
        _ = unknown_to_router(value[1:]) or regex(value[1:])
    except re.error as error:
        return f"invalid regex: '{value[1:]}' ({error})"
    return None


def regex(text: str) -> re.Pattern[str]:
    """A regular expression of a route (kong/router/transform.lua, path_val_transform), as Python writes it."""
    python = {"(?<": "(?P<", "\\z": "\\Z"}
    return re.compile(
        re.sub(r"\\.|\(\?<(?![=!])", lambda part: python.get(part[0], part[0]), text, flags=re.DOTALL)
    )


_NOT_IN_RUST = {"\\Z", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#", "(?|", "(?(", "(?P="} | {
    rf"\{n}" for n in range(1, 10)
}


def unknown_to_router(text: str) -> str | None:
    """What of a regular expression PCRE takes, and Kong's router, whose expressions are Rust's, does not."""
    parts = re.findall(r"\\.|\(\?(?:<[=!]|P=|.)", text, re.DOTALL)
    return next((f"{part} is not supported" for part in parts if part in _NOT_IN_RUST), None)


_TO_ESCAPE = re.compile(rb"[^!#$&'()*+,/:;=?@\[\]A-Za-z0-9_.~%-]")


def escaped(path: str) -> str:
    """A path as it goes on to the upstream (kong/tools/uri.lua, `escape`)."""
    whole = path.encode(errors="surrogateescape")
    return _TO_ESCAPE.sub(lambda found: b"%%%02X" % found[0][0], whole).decode()


def is_bad(path: str) -> bool:
    """Whether nginx refuses a path: for a broken escape, or a way out of the root."""
    depth = 0
    for part in unquote(path, errors="surrogateescape").split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return re.search("%(?![0-9A-Fa-f]{2})|%00", path) is not None
