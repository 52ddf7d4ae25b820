"""Parsers of single config values: each returns the value, or raises `InvalidValueError` with what is expected."""

import ipaddress
import re
from collections.abc import Callable, Sequence

import idna

BUILTIN_NETWORKS = ("bridge", "default", "host", "none")
HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
MAX_ADDRESSES = 400  # docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
MAX_SHOWN = 5
MAX_CPUS = 256
CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
USERNAME = re.compile(r"(?![0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$)\S([^\x00-\x1f\x7f]*\S)?")
"""Kong looks up anything that looks like a UUID by id, and never by username."""
ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[0-9]{1,5})?")
KEY = re.compile(r"[!-~]{16,256}")


class InvalidValueError(Exception):
    """One value is invalid; the message continues a sentence that begins with the key."""


def matching(
    pattern: re.Pattern[str], expected: str, normalize: Callable[[str], str] = str
) -> Callable[[str], str]:
    """Accept what the whole pattern matches. The error suggests the normalized value, if that would match."""

    def parse(value: str) -> str:
        if not pattern.fullmatch(value):
            better = normalize(value)
            suggestion = f"; did you mean {better}?" if pattern.fullmatch(better) else ""
            raise InvalidValueError(f"must be {expected}, not {value!r}{suggestion}")
        return value

    return parse


def _normalize_hostname(value: str) -> str:
    """Normalize a name as browsers do: lower case, Punycode (UTS 46), no trailing dot. Of a URL, take the host."""
    host = value.strip().rpartition("://")[2].partition("/")[0].removesuffix(".")
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host


def _normalize_image(value: str) -> str:
    name = re.match(r"[^@]*?(?=(:[^/]*)?(@|$))", value.strip())
    return name[0].lower() + value.strip()[name.end() :] if name else value


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-fA-F:]+\])(:[0-9]+)?"
_PATH = rf"{_PART}(/{_PART})*"
_REPOSITORY = rf"(?=localhost[:/]|[^/]*[.:]){_DOMAIN}/{_PATH}"
_IMAGE = (  # the grammar of github.com/distribution/reference
    rf"({_DOMAIN}/)?{_PATH}"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?"
)
hostname = matching(
    re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    "a host name in lower case and ASCII, without a trailing dot",
    _normalize_hostname,
)
zone_id = matching(
    re.compile(r"[A-Z0-9]{1,32}"),
    "a Route 53 zone id such as Z0123456789ABCDEFGHIJ",
    lambda value: value.strip().rpartition("/")[2],
)
image = matching(re.compile(_IMAGE), "the name of an image, such as python:3.11-slim", _normalize_image)
repository = matching(re.compile(_REPOSITORY), "a repository such as registry.example.com/session-context")
pinned_image = matching(
    re.compile(rf"{_REPOSITORY}@sha256:[0-9a-f]{{64}}"), "like registry.example.com/api@sha256:…"
)
platform = matching(re.compile(r"linux/[a-z0-9]+(/v[0-9]+)?"), "a platform such as linux/amd64")
header_name = matching(re.compile(r"[A-Za-z0-9-]+"), "the name of an HTTP header")
entity_name = matching(re.compile(r"[A-Za-z0-9._~-]{1,128}"), "letters, digits, '.', '-', '_' and '~'")
upstream_name = matching(
    re.compile(r"(?![\d.]+$)(?=.{1,128}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?"),
    "a host name, since the service uses it as its host: letters, digits, '.', '-' and '_'",
)
volume = matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+"), "the name of a Docker volume")
log_driver = matching(re.compile(r"[a-z0-9][a-z0-9./:_-]*"), "the name of a logging driver, such as journald")
_network = matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "the name of a Docker network")


def network(value: str) -> str:
    """Accept the name of a user-defined Docker network."""
    if value in BUILTIN_NETWORKS:
        raise InvalidValueError(
            f"must be a user-defined Docker network, not the built-in {value!r}: "
            "Kong resolves containers by name, which works in user-defined networks only"
        )
    return _network(value)


def header_value(value: str) -> str:
    """Accept the value of an HTTP header. The error does not repeat it: it may be a secret."""
    if not HEADER_VALUE.fullmatch(value):
        raise InvalidValueError("must be printable ASCII, without leading or trailing white space")
    return value


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Accept an integer from `low` to `high`, both included."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise InvalidValueError(f"must be a whole number from {low} to {high}, not {value!r}")
        return int(value)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Accept one of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise InvalidValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    return parse


def cpus(value: str) -> str:
    """Accept a number of CPUs with up to two decimals, as Docker's `--cpus` does."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", value) or not 0.1 <= float(value) <= MAX_CPUS:
        raise InvalidValueError(f"must be a number of CPUs from 0.1 to {MAX_CPUS}, such as 1.5, not {value!r}")
    return value


def log_options(value: object) -> dict[str, str]:
    """Accept a map of options of a logging driver, without repeating a value: it may be a token."""
    if not isinstance(value, dict):
        raise InvalidValueError("must be a map of options of the logging driver")
    if wrong := sorted(name for name, option in value.items() if not isinstance(option, str | int | float)):
        raise InvalidValueError(f"must have strings as values; wrong: {_join(wrong)}")
    return {
        name: str(option).lower() if isinstance(option, bool) else str(option) for name, option in value.items()
    }


def boolean(value: str) -> bool:
    """Accept `true` or `false`."""
    return one_of("true", "false")(value) == "true"


def addresses(value: object) -> list[str]:
    """Accept unicast IPv4 and IPv6 addresses, without duplicates; return them in their short form."""
    found = [str(ipaddress.ip_address(item)) for item in _addresses(value)]
    for family in (4, 6):
        if sum(ipaddress.ip_address(item).version == family for item in found) > MAX_ADDRESSES:
            raise InvalidValueError(
                f"must not contain more than {MAX_ADDRESSES} IPv{family} addresses, the limit of Route 53"
            )
    if duplicates := _duplicates(found):
        raise InvalidValueError(f"contains duplicates: {_join(duplicates)}")
    return found


def _is_unicast(item: str) -> bool:
    try:
        address = ipaddress.ip_address(item)
    except ValueError:
        return False
    if address.is_loopback:
        return True  # `make up` is on one machine
    return not (address.is_unspecified or address.is_multicast or address.is_reserved or "%" in item)


def keys_by_consumer(value: object) -> dict[str, str]:
    """Accept a map from consumer names to keys. No error repeats a key."""
    if not isinstance(value, dict):
        raise InvalidValueError("must be a map from consumer names to keys")
    if wrong := sorted(name for name in value if not CONSUMER.fullmatch(name)):
        raise InvalidValueError(f"must have names of letters, digits, '.', '-' and '_', not {_join(wrong)}")
    if wrong := sorted(name for name, key in value.items() if not isinstance(key, str) or not KEY.fullmatch(key)):
        raise InvalidValueError(
            f"must have keys of 16 to 256 printable ASCII characters without spaces; wrong: {_join(wrong)}"
        )
    if len(set(value.values())) < len(value):
        raise InvalidValueError("must have a different key for each consumer")
    return value


def list_of(is_valid: Callable[[str], bool], expected: str) -> Callable[[object], list[str]]:
    """Accept a list of such strings, without duplicates."""

    def parse(value: object) -> list[str]:
        if not isinstance(value, list):
            raise InvalidValueError(f"must be a list of {expected}")
        if wrong := [item for item in value if not isinstance(item, str) or not is_valid(item)]:
            raise InvalidValueError(f"must contain {expected}, not {_join(wrong)}")
        if duplicates := _duplicates(value):
            raise InvalidValueError(f"contains duplicates: {_join(duplicates)}")
        return value

    return parse


def is_network(item: str) -> bool:
    try:
        ipaddress.ip_network(item)
    except ValueError:
        return False
    return True


_addresses = list_of(_is_unicast, "unicast IP addresses, such as 203.0.113.10 or 2001:db8::10")
usernames = list_of(lambda item: USERNAME.fullmatch(item) is not None, "usernames of consumers in Kong, not ids")
groups = list_of(lambda item: bool(item.strip()) and item.isprintable(), "names of acl groups in Kong")
networks = list_of(is_network, "IP addresses, or networks without host bits such as 203.0.113.0/24")
_origins = list_of(
    lambda item: item == "*" or ORIGIN.fullmatch(item) is not None,
    "origins such as https://app.example.com, in lower case and without a path",
)


def origins(value: object) -> list[str]:
    """Accept a list of web origins, or '*' alone."""
    found = _origins(value)
    if "*" in found and len(found) > 1:
        raise InvalidValueError("must contain either '*' alone or single origins")
    return found


def _duplicates(items: list[str]) -> list[str]:
    return sorted({item for item in items if items.count(item) > 1})


def _join(items: Sequence[object]) -> str:
    return ", ".join(map(repr, items[:MAX_SHOWN])) + (" …" if len(items) > MAX_SHOWN else "")
