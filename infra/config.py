"""The stack's config: the only reader of `pulumi.Config`."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import config as runtime

HOSTNAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
ZONE_ID = re.compile(r"[A-Z0-9]{1,32}")
NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
HEADER = re.compile(r"[A-Za-z0-9-]+")
MAX_TTL = 2**31 - 1  # RFC 2181, section 8
MAX_REPLICAS = 16


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What a stack can set. Pulumi.yaml's `config:` block says what each is for."""

    hostname: str
    hosted_zone_id: str
    gateway_addresses: list[str]
    ttl: int
    kong_admin_url: str
    kong_admin_token: pulumi.Output[str] | None
    kong_admin_token_header: str
    container_host: str
    docker_host: str | None
    network: str
    replicas: int
    base_image: str
    sequence_service_url: str | None
    database_url: pulumi.Output[str] | None


class _WrongError(Exception):
    """What is wrong with one value."""


def _matches(pattern: re.Pattern[str], wanted: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not pattern.fullmatch(value):
            raise _WrongError(f"must be {wanted}, not {value!r}")
        return value

    return parse


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise _WrongError(f"must be a whole number from {low} to {high}, not {value!r}")
        return int(value)

    return parse


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            fits = parts.scheme in schemes and bool(parts.hostname or parts.scheme == "unix")
            _ = parts.port
        except ValueError:
            fits = False
        if not fits:
            raise _WrongError(f"must be a URL that begins with {' or '.join(schemes)}, then ://")
        if parts.password or parts.query or parts.fragment:
            raise _WrongError("must hold no password, query or fragment")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise _WrongError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    return parse


def _ipv4_addresses(value: Any) -> list[str]:  # noqa: ANN401 - whatever the YAML holds
    if not isinstance(value, list):
        raise _WrongError("must be a list of IPv4 addresses")
    wrong = []
    for item in value:
        try:
            ipaddress.IPv4Address(item)
        except ValueError:
            wrong.append(repr(item))
    if wrong:
        raise _WrongError(f"must hold IPv4 addresses only, not {', '.join(wrong)}")
    if not value:
        raise _WrongError("is missing: set the gateway's public IPv4 addresses")
    if len(set(value)) < len(value):
        raise _WrongError("names an address twice")
    return [str(item) for item in value]


class _Reader:
    """Reads values one by one and keeps what is wrong with each, to be told together."""

    def __init__(self) -> None:
        self._config = pulumi.Config()
        self._seen: set[str] = set()
        self.wrong: list[str] = []

    def _checked(self, key: str, read: Callable[[], Any], missing: str | None) -> Any:  # noqa: ANN401
        self._seen.add(key)
        try:
            value = read()
        except _WrongError as error:
            self.wrong.append(f"{key} {error}")
            return None
        if value is None and missing:
            self.wrong.append(f"{key} is missing: {missing}")
        return value

    def text(self, key: str, parse: Callable[[str], Any], *, missing: str | None = None) -> Any:  # noqa: ANN401
        """A value parsed; None when it is empty, which is wrong if `missing` says what to set."""

        def read() -> object:
            value = self._config.get(key)
            return parse(value) if value else None

        return self._checked(key, read, missing)

    def listed(self, key: str, parse: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        """A list parsed."""

        def read() -> object:
            try:
                return parse(self._config.get_object(key))
            except pulumi.ConfigTypeError as error:
                raise _WrongError("must be a list of IPv4 addresses") from error

        return self._checked(key, read, None)

    def secret(self, key: str, parse: Callable[[str], str] = str) -> pulumi.Output[str] | None:
        """A value that must be encrypted in the stack's file; None when it is empty."""

        def read() -> object:
            value = self._config.get(key)
            if not value:
                return None
            if not runtime.is_config_secret(self._config.full_key(key)):
                raise _WrongError(f"is in the clear: set it with `pulumi config set --secret {key}`")
            parse(value)
            return self._config.get_secret(key)

        value: pulumi.Output[str] | None = self._checked(key, read, None)
        return value

    def strangers(self, given: Mapping[str, str]) -> None:
        """Names each key of this project that is no key of ours: a value nobody reads is a mistake."""
        prefix = f"{pulumi.get_project()}:"
        for name in sorted(given):
            key = name.removeprefix(prefix)
            if name.startswith(prefix) and key not in self._seen:
                self.wrong.append(f"{key} is no key of this stack: there are {', '.join(sorted(self._seen))}")


def load() -> StackConfig:
    """The config of the stack that runs. Raises `pulumi.RunError` with all that is wrong or missing."""
    read = _Reader()
    values: dict[str, Any] = {
        "hostname": read.text("hostname", _matches(HOSTNAME, "a host name in lower case"), missing="set it"),
        "hosted_zone_id": read.text(
            "hostedZoneId",
            _matches(ZONE_ID, "a Route 53 zone id such as Z0123456789ABCDEFGHIJ"),
            missing="set the Route 53 zone that the hostname lies in",
        ),
        "gateway_addresses": read.listed("gatewayAddresses", _ipv4_addresses),
        "ttl": read.text("ttl", _whole_number(1, MAX_TTL), missing="set it"),
        "kong_admin_url": read.text(
            "kongAdminUrl", _url("http", "https"), missing="set where Kong's Admin API answers"
        ),
        "kong_admin_token": read.secret("kongAdminToken"),
        "kong_admin_token_header": read.text(
            "kongAdminTokenHeader", _matches(HEADER, "the name of a header"), missing="set it"
        ),
        "container_host": read.text("containerHost", _one_of("docker"), missing="set it"),
        "docker_host": read.text("dockerHost", _url("ssh", "tcp", "unix", "npipe")),
        "network": read.text(
            "network",
            _matches(NETWORK, "the name of a Docker network"),
            missing="set the Docker network that the gateway is in",
        ),
        "replicas": read.text("replicas", _whole_number(1, MAX_REPLICAS), missing="set it"),
        "base_image": read.text("baseImage", _matches(IMAGE, "the name of an image"), missing="set it"),
        "sequence_service_url": read.text("sequenceServiceUrl", _url("http", "https")),
        "database_url": read.secret("databaseUrl"),
    }
    read.strangers(runtime.CONFIG.get())
    if read.wrong:
        lines = "\n".join(f"  - {line}" for line in read.wrong)
        raise pulumi.RunError(
            f"the config of stack {pulumi.get_stack()} needs mending in Pulumi.{pulumi.get_stack()}.yaml:\n{lines}"
        )
    return StackConfig(**values)
