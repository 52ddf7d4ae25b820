"""Validators of single fields, so that an invalid value is rejected without Kong.

They follow Kong 3.x, `kong/db/schema/typedefs.lua` and `kong/db/schema/entities/*.lua`. Kong itself validates the
rest.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from infra.props import UNKNOWN

Validator = Callable[[Any], str | None]
"""Returns what is wrong with a value that is neither null nor unknown, or None."""

PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")
WITHOUT_PATH = frozenset({"grpc", "grpcs", "tcp", "tls", "udp"})
METHOD = re.compile(r"[A-Z]+")
NAME = re.compile(r"[A-Za-z0-9._~\x80-\U0010ffff-]+")
HOST = re.compile(r"(?![\d.]+$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
ROUTE_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_.-]+(\.\*)?(:\d{1,5})?")
PATH = re.compile(r"/(?!.*//)[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TAG = re.compile(r"[^\x00-\x1f\x7f,/]+")


def between(low: int, high: int) -> Validator:
    """Accept an integer from `low` to `high`, both included."""

    def validate(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return None
        return f"must be a whole number from {low} to {high}"

    return validate


def number(above: float | None = None) -> Validator:
    """Accept a number, above another if one is given."""

    def validate(value: object) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool) and (above is None or value > above):
            return None
        return "must be a number" if above is None else f"must be a number above {above:g}"

    return validate


def one_of(*choices: str | int) -> Validator:
    """Accept one of a few values."""
    return lambda value: None if value in choices else f"must be one of {', '.join(map(str, choices))}"


def matching(pattern: re.Pattern[str], expected: str) -> Validator:
    """Accept a string that the whole pattern matches."""
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else f"must be {expected}"


def each(validate: Validator, *, unique: bool = False) -> Validator:
    """Accept a list of valid items, without duplicates if Kong stores it as a set."""

    def check(value: object) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        known = [item for item in value if item != UNKNOWN]
        errors = [f"{item!r} {reason}" for item in known if (reason := validate(item))]
        if unique:
            errors += [f"duplicate item {item!r}" for at, item in enumerate(known) if item in known[:at]]
        return "; ".join(errors) or None

    return check


def boolean(value: object) -> str | None:
    """Accept true or false."""
    return None if isinstance(value, bool) else "must be true or false"


def is_uuid(value: str) -> bool:
    """Return whether Kong treats a string as an id, and never as a name: kong/tools/uuid.lua, `is_valid_uuid`."""
    return UUID.fullmatch(value) is not None


def text(value: object) -> str | None:
    """Accept a non-empty string."""
    return None if isinstance(value, str) and value else "must be a non-empty string"


def secret(value: object) -> str | None:
    """Accept a non-empty string that the state and error messages must not have in plain text."""
    return text(value)


def mapping(value: object) -> str | None:
    """Accept an object, whose content Kong validates."""
    return None if isinstance(value, dict) else "must be an object"


def is_target(value: object) -> str | None:
    """Accept HOST:PORT, with an IPv6 address in brackets."""
    host, _, port = str(value).rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        return "must be HOST:PORT"
    if host.startswith("["):
        return None if _is_ipv6(host.removeprefix("[").removesuffix("]")) else "must be HOST:PORT"
    if _is_ipv6(host):
        return "must have the IPv6 address in brackets"
    return None if _is_host(host) else "must be HOST:PORT"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def normalize_target(target: str) -> str:
    """Return a target as Kong stores it: kong/tools/ip.lua, `format_host`, expands IPv6 addresses."""
    host, _, port = target.rpartition(":")
    if host.startswith("["):
        host = f"[{ipaddress.ip_address(host[1:-1]).exploded}]"
    return f"{host}:{int(port)}"


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return HOST.fullmatch(value) is not None
    return True


def service_host(value: object) -> str | None:
    """Accept a host name or IP address, without a port."""
    return None if isinstance(value, str) and _is_host(value) else "must be a host name or address, without a port"


def upstream_name(value: object) -> str | None:
    """Accept a host name, which a service can use as its host."""
    if isinstance(value, str) and HOST.fullmatch(value):
        return None
    return "must be a host name, without a port, not an IP address"


milliseconds = between(1, 2**31 - 2)
is_name = matching(NAME, "letters, digits, '.', '-', '_' and '~'")
is_path = matching(PATH, "an absolute path such as /v2, without '//'")
is_tag = matching(TAG, "printable, without ',' and '/'")
route_host = matching(ROUTE_HOST, "a host name, with '*' only as its first or last label")
route_path = matching(re.compile(r"~?/.*", re.DOTALL), "an absolute path, or '~/' and a regular expression")
algorithms = one_of("round-robin", "consistent-hashing", "least-connections", "latency")
hash_source = one_of("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
