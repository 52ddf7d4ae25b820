"""What single values of the config must look like: each function makes a parser that refuses the rest."""

import ipaddress
import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import idna

DOCKERS_OWN = ("bridge", "default", "host", "none")
HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
VISIBLE = re.compile(r"[!-~]+")
HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
EXAMPLES_OF_FILES = {"unix": "unix:///var/run/docker.sock", "npipe": "npipe:////./pipe/docker_engine"}
MAX_ADDRESSES = 400  # docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
SHOWN = 5
CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
USERNAME = re.compile(r"(?![0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$)\S([^\x00-\x1f\x7f]*\S)?")
"""Kong takes what looks like a UUID for an id, and finds no consumer by it."""
KEY = re.compile(r"[!-~]{16,256}")


class WrongValueError(Exception):
    """What is wrong with one value."""


def matches(pattern: re.Pattern[str], wanted: str, instead: Callable[[str], str] = str) -> Callable[[str], str]:
    """A string that a pattern matches whole. A refusal offers what `instead` makes of it, if that does match."""

    def parse(value: str) -> str:
        if not pattern.fullmatch(value):
            better = instead(value)
            advice = f": set {better}" if pattern.fullmatch(better) else ""
            raise WrongValueError(f"must be {wanted}, not {value!r}{advice}")
        return value

    return parse


def _as_hostname(value: str) -> str:
    """What a browser makes of a name: lower case, punycode (UTS 46), no final dot; of a URL its host."""
    host = value.strip().rpartition("://")[2].partition("/")[0].removesuffix(".")
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host


def _as_image(value: str) -> str:
    name = re.match(r"[^@]*?(?=(:[^/]*)?(@|$))", value.strip())
    return name[0].lower() + value.strip()[name.end() :] if name else value


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = (  # the grammar of github.com/distribution/reference
    rf"(({_LABEL}(\.{_LABEL})*|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?{_PART}(/{_PART})*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?"
)
hostname = matches(
    re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    "a host name in lower case, in ASCII and without a final dot",
    _as_hostname,
)
zone_id = matches(
    re.compile(r"[A-Z0-9]{1,32}"),
    "a Route 53 zone id such as Z0123456789ABCDEFGHIJ",
    lambda value: value.strip().rpartition("/")[2],
)
image = matches(re.compile(_IMAGE), "the name of an image", _as_image)
platform = matches(re.compile(r"linux/[a-z0-9]+(/v[0-9]+)?"), "a platform such as linux/amd64")
header_name = matches(re.compile(r"[A-Za-z0-9-]+"), "the name of a header")
_network = matches(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "the name of a Docker network")


def network(value: str) -> str:
    """The name of a Docker network in which containers have names."""
    if value in DOCKERS_OWN:
        raise WrongValueError(
            f"must be a network that was made for the gateway, not Docker's own {value!r}: "
            "in that no container is found by its name, as Kong finds them"
        )
    return _network(value)


def header_value(value: str) -> str:
    """What fits in a header. No message repeats it: it may be a secret."""
    if not HEADER_VALUE.fullmatch(value):
        raise WrongValueError("must be visible ASCII characters, without a space or a line end around them")
    return value


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
        scheme = value.partition("://")[0]
        if scheme not in schemes:
            raise WrongValueError(f"must be a URL that begins with {' or '.join(schemes)}, then ://")
        if not VISIBLE.fullmatch(value):
            raise WrongValueError("must hold no space, line end or character outside ASCII (a host: xn--…)")
        try:
            parts = urlsplit(value)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise WrongValueError("must hold a host, and a port up to 65535 if any") from error
        if parts.password is not None or "?" in value or "#" in value:
            raise WrongValueError("must hold no password, query or fragment")
        if scheme in EXAMPLES_OF_FILES:
            if host or not parts.path.strip("/."):
                raise WrongValueError(f"must be a path, such as {EXAMPLES_OF_FILES[scheme]}")
        elif not (host and _is_host(host)) or port == 0:
            raise WrongValueError("must hold a host name or address, and a port from 1 to 65535 if any")
        elif scheme == "tcp" and port is None:
            raise WrongValueError("must hold a port, such as tcp://host:2376")
        elif parts.username is not None and scheme != "ssh":
            raise WrongValueError("must hold no user")
        return value

    return parse


def _is_host(value: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(value))
    # What ends in a number is an address in an odd form (127.1, 0x7f.1), which each program reads in its own way.
    return HOST.fullmatch(value) is not None and not NUMBER.fullmatch(value.rpartition(".")[2])


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
    """One or more addresses at which a gateway can be, none of them twice."""
    if not isinstance(value, list):
        raise WrongValueError("must be a list of IPv4 addresses")
    if wrong := [item for item in value if not _is_reachable(item)]:
        some = ", ".join(map(repr, wrong[:SHOWN])) + (" …" if len(wrong) > SHOWN else "")
        raise WrongValueError(f"must hold IPv4 addresses of a gateway only, such as 203.0.113.10, not {some}")
    if not value:
        raise WrongValueError("is missing: set the gateway's public IPv4 addresses")
    if len(value) > MAX_ADDRESSES:
        raise WrongValueError(f"must hold at most {MAX_ADDRESSES} addresses, which is what Route 53 takes")
    if len(set(value)) < len(value):
        raise WrongValueError("names an address twice")
    return value


def _is_reachable(item: object) -> bool:
    if not isinstance(item, str):  # ipaddress takes a number, too
        return False
    try:
        address = ipaddress.IPv4Address(item)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_reserved)


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


def database_url(folder: str) -> Callable[[str], str]:
    """What the service takes, with SQLite's file below a folder. No message repeats it: it may hold a password."""

    def parse(value: str) -> str:
        if not VISIBLE.fullmatch(value):
            raise WrongValueError("must hold no space, line end or character outside ASCII: write %20 and so on")
        if value.startswith("postgresql://"):
            if not value.removeprefix("postgresql://").partition("/")[2].partition("?")[0]:
                raise WrongValueError("must name a database: postgresql://user:password@host/database")
        elif not value.startswith("sqlite:///"):
            raise WrongValueError("must begin with sqlite:/// or postgresql://")
        else:
            file = posixpath.join(posixpath.dirname(folder), value.removeprefix("sqlite:///").partition("?")[0])
            if not posixpath.normpath(file).startswith(f"{folder}/"):
                raise WrongValueError(
                    f"must name a file in {folder}, where the volume is: sqlite:///{folder}/NAME.db"
                )
        return value

    return parse
