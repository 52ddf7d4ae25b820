"""The configs of the plugins that stacks use most: every field with its default, its rule, and its type.

Field names and defaults are Kong's own: Kong 3.9, `kong/plugins/*/schema.lua`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pulumi import Input

from infra.kong.schema.entity import Flag, Number, Text, Texts
from infra.kong.schema.validators import between, boolean, each, mapping, number, one_of, text
from infra.props import UNKNOWN, Props

PERIODS = ("second", "minute", "hour", "day", "month", "year")
_Limit = Annotated[Input[float] | None, number(above=0)]


@dataclass(frozen=True, kw_only=True)
class PluginConfig:
    """The config of one plugin."""

    plugin: ClassVar[str]
    protocols: ClassVar[tuple[str, ...]] = ("grpc", "grpcs", "http", "https")
    """What it is for unless it is told: `kong/db/schema/typedefs.lua`, or the plugin's own schema."""
    keeps_out: ClassVar[bool] = False
    """Whether a service without it would be open to somebody who is not to get in."""

    @staticmethod
    def mistake(_config: Props) -> str | None:
        """What is wrong with its fields beside each other."""
        return None


@dataclass(frozen=True, kw_only=True)
class KeyAuthConfig(PluginConfig):
    """Lets through who has the key of a consumer."""

    plugin: ClassVar[str] = "key-auth"
    keeps_out: ClassVar[bool] = True

    key_names: Annotated[Texts, each(text)] = ("apikey",)
    hide_credentials: Annotated[Flag, boolean] = False
    anonymous: Annotated[Text, text] = None
    key_in_header: Annotated[Flag, boolean] = True
    key_in_query: Annotated[Flag, boolean] = True
    key_in_body: Annotated[Flag, boolean] = False
    run_on_preflight: Annotated[Flag, boolean] = True
    realm: Annotated[Text, text] = None


@dataclass(frozen=True, kw_only=True)
class AclConfig(PluginConfig):
    """Of the consumers that another plugin has recognized, lets through those in a group, or those in none."""

    plugin: ClassVar[str] = "acl"
    keeps_out: ClassVar[bool] = True

    # Not always_use_authenticated_groups, which Kong has since 3.8.
    allow: Annotated[Texts, each(text)] = None
    deny: Annotated[Texts, each(text)] = None
    hide_groups_header: Annotated[Flag, boolean] = False

    @staticmethod
    def mistake(config: Props) -> str | None:
        if UNKNOWN in (config["allow"], config["deny"]) or bool(config["allow"]) != bool(config["deny"]):
            return None
        return "must set one of allow and deny"


@dataclass(frozen=True, kw_only=True)
class RateLimitingConfig(PluginConfig):
    """Lets so many requests through in each period."""

    plugin: ClassVar[str] = "rate-limiting"

    second: _Limit = None
    minute: _Limit = None
    hour: _Limit = None
    day: _Limit = None
    month: _Limit = None
    year: _Limit = None
    limit_by: Annotated[
        Text, one_of("consumer", "credential", "ip", "service", "header", "path", "consumer-group")
    ] = "consumer"
    header_name: Annotated[Text, text] = None
    path: Annotated[Text, text] = None
    policy: Annotated[Text, one_of("local", "cluster", "redis")] = "local"
    fault_tolerant: Annotated[Flag, boolean] = True
    hide_client_headers: Annotated[Flag, boolean] = False
    error_code: Annotated[Number, between(100, 599)] = 429
    error_message: Annotated[Text, text] = "API rate limit exceeded"
    sync_rate: Annotated[Input[float] | None, number()] = -1
    redis: Annotated[Input[Mapping[str, Any]] | None, mapping] = None

    @staticmethod
    def mistake(config: Props) -> str | None:
        limits = [(period, config[period]) for period in PERIODS if config[period] not in (None, UNKNOWN)]
        if not limits and all(config[period] is None for period in PERIODS):
            return f"must set a limit for one of {', '.join(PERIODS)}"
        for (shorter, fewer), (longer, more) in pairwise(limits):
            if more < fewer:
                return f"{longer} {more:g} can't be below {shorter} {fewer:g}"
        if config["sync_rate"] not in (-1, UNKNOWN) and config["policy"] not in ("redis", UNKNOWN):
            return "sync_rate goes with the policy redis alone"
        return None


@dataclass(frozen=True, kw_only=True)
class RequestSizeLimitingConfig(PluginConfig):
    """Keeps out bodies over a size."""

    plugin: ClassVar[str] = "request-size-limiting"

    allowed_payload_size: Annotated[Number, between(0, 2**31 - 1)] = 128
    size_unit: Annotated[Text, one_of("megabytes", "kilobytes", "bytes")] = "megabytes"
    require_content_length: Annotated[Flag, boolean] = False


@dataclass(frozen=True, kw_only=True)
class CorrelationIdConfig(PluginConfig):
    """Gives each request an id."""

    plugin: ClassVar[str] = "correlation-id"

    header_name: Annotated[Text, text] = "Kong-Request-ID"
    generator: Annotated[Text, one_of("uuid", "uuid#counter", "tracker")] = "uuid#counter"
    echo_downstream: Annotated[Flag, boolean] = False


@dataclass(frozen=True, kw_only=True)
class CorsConfig(PluginConfig):
    """Tells browsers which other sites may call."""

    plugin: ClassVar[str] = "cors"

    origins: Annotated[Texts, each(text)] = None
    headers: Annotated[Texts, each(text)] = None
    exposed_headers: Annotated[Texts, each(text)] = None
    methods: Annotated[
        Texts, each(one_of("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
    ] = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
    max_age: Annotated[Input[float] | None, number()] = None
    credentials: Annotated[Flag, boolean] = False
    private_network: Annotated[Flag, boolean] = False
    preflight_continue: Annotated[Flag, boolean] = False


@dataclass(frozen=True, kw_only=True)
class IpRestrictionConfig(PluginConfig):
    """Lets through, or keeps out, addresses and networks."""

    plugin: ClassVar[str] = "ip-restriction"
    keeps_out: ClassVar[bool] = True
    protocols: ClassVar[tuple[str, ...]] = ("grpc", "grpcs", "http", "https", "tcp", "tls")

    allow: Annotated[Texts, each(text)] = None
    deny: Annotated[Texts, each(text)] = None
    status: Annotated[Number, between(100, 599)] = None
    message: Annotated[Text, text] = None

    @staticmethod
    def mistake(config: Props) -> str | None:
        return None if config["allow"] or config["deny"] else "must set allow or deny"


CONFIGS: dict[str, type[PluginConfig]] = {config.plugin: config for config in PluginConfig.__subclasses__()}


def keeps_out(plugin: str) -> bool:
    """Whether a plugin may keep somebody out, as any may of which nothing is known here."""
    return plugin not in CONFIGS or CONFIGS[plugin].keeps_out
