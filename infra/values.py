"""What single values of the config must look like: each function makes a parser that refuses the rest."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
USERNAME = re.compile(r"(?![0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$)\S([^\x00-\x1f\x7f]*\S)?")
"""Kong takes what looks like a UUID for an id, and finds no consumer by it."""
KEY = re.compile(r"[!-~]{16,256}")


class WrongValueError(Exception):
    """What is wrong with one value."""


def matches(pattern: re.Pattern[str], wanted: str) -> Callable[[str], str]:
    """A string that a pattern matches whole."""

    def parse(value: str) -> str:
        if not pattern.fullmatch(value):
            raise WrongValueError(f"must be {wanted}, not {value!r}")
        return value

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A number in a closed range."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise WrongValueError(f"must be a whole number from {low} to {high}, not {value!r}")
        return int(value)

    return parse


def url(*schemes: str) -> Callable[[str], str]:
    """A URL of one of the schemes, without a secret in it."""

    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            fits = parts.scheme in schemes and bool(parts.hostname or parts.scheme == "unix") and " " not in value
            _ = parts.port
        except ValueError:
            fits = False
        if not fits:
            raise WrongValueError(f"must be a URL that begins with {' or '.join(schemes)}, then ://")
        if parts.password or parts.query or parts.fragment:
            raise WrongValueError("must hold no password, query or fragment")
        return value

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """One of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise WrongValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    return parse


def switch(value: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(value) == "true"


def ipv4_addresses(value: Any) -> list[str]:  # noqa: ANN401 - whatever the YAML holds
    """One or more addresses, none of them twice."""
    if not isinstance(value, list):
        raise WrongValueError("must be a list of IPv4 addresses")
    wrong = []
    for item in value:
        try:
            ipaddress.IPv4Address(item)
        except ValueError:
            wrong.append(repr(item))
    if wrong:
        raise WrongValueError(f"must hold IPv4 addresses only, not {', '.join(wrong)}")
    if not value:
        raise WrongValueError("is missing: set the gateway's public IPv4 addresses")
    if len(set(value)) < len(value):
        raise WrongValueError("names an address twice")
    return [str(item) for item in value]


def keys_by_consumer(value: Any) -> dict[str, str]:  # noqa: ANN401 - whatever the YAML holds
    """Names of consumers with the key of each. No message repeats a key."""
    if not isinstance(value, dict):
        raise WrongValueError("must be a map of consumers' names to their keys")
    if wrong := sorted(name for name in value if not CONSUMER.fullmatch(name)):
        raise WrongValueError(f"must name consumers with letters, digits, '.', '-' and '_', not {wrong}")
    if wrong := sorted(name for name, key in value.items() if not isinstance(key, str) or not KEY.fullmatch(key)):
        raise WrongValueError(f"must give each consumer a key of 16 to 256 visible characters: see {wrong}")
    if len(set(value.values())) < len(value):
        raise WrongValueError("gives two consumers the same key")
    return value


def usernames(value: Any) -> list[str]:  # noqa: ANN401 - whatever the YAML holds
    """Names of consumers that Kong has already, none of them twice."""
    if not isinstance(value, list):
        raise WrongValueError("must be a list of usernames")
    if wrong := [name for name in value if not isinstance(name, str) or not USERNAME.fullmatch(name)]:
        raise WrongValueError(f"must hold usernames of consumers in Kong, and no ids, not {wrong}")
    if len(set(value)) < len(value):
        raise WrongValueError("names a consumer twice")
    return value


def database_url(value: str) -> str:
    """What the service takes. No message repeats it: it may hold a password."""
    if not value.startswith(("sqlite:///", "postgresql://")):
        raise WrongValueError("must begin with sqlite:/// or postgresql://")
    return value
