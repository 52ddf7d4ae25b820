"""The configs of common plugins: every field with its type, its validator and its default.

Names and defaults are those of Kong 3.9, `kong/plugins/*/schema.lua`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from infra.kong.schema.entity import Flag, Input, Number, Text, Texts
from infra.kong.schema.validators import between, boolean, each, mapping, number, one_of, text
from infra.props import UNKNOWN, Props

PERIODS = ("second", "minute", "hour", "day", "month", "year")
_Limit = Annotated[Input[float] | None, number(above=0)]


@dataclass(frozen=True, kw_only=True)
class PluginConfig:
    """The config of one plugin."""

    plugin: ClassVar[str]
    protocols: ClassVar[tuple[str, ...]] = ("grpc", "grpcs", "http", "https")
    """Its default: `kong/db/schema/typedefs.lua`, or the plugin's own schema."""
    restricts_access: ClassVar[bool] = False
    """Whether a service without it would admit clients that must not be admitted."""

    @staticmethod
    def find_error(_config: Props) -> str | None:
        """Return what is wrong with the combination of its fields."""
        return None


@dataclass(frozen=True, kw_only=True)
class KeyAuthConfig(PluginConfig):
    """Admits clients with the key of a consumer."""

    plugin: ClassVar[str] = "key-auth"
    restricts_access: ClassVar[bool] = True

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
    """Admits authenticated consumers by their groups."""

    plugin: ClassVar[str] = "acl"
    restricts_access: ClassVar[bool] = True

    # Without always_use_authenticated_groups, which came with Kong 3.8.
    allow: Annotated[Texts, each(text)] = None
    deny: Annotated[Texts, each(text)] = None
    hide_groups_header: Annotated[Flag, boolean] = False

    @staticmethod
    def find_error(config: Props) -> str | None:
        if UNKNOWN in (config["allow"], config["deny"]) or bool(config["allow"]) != bool(config["deny"]):
            return None
        return "must set one of allow and deny"


@dataclass(frozen=True, kw_only=True)
class RateLimitingConfig(PluginConfig):
    """Limits the number of requests in each period."""

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
    def find_error(config: Props) -> str | None:
        limits = [(period, config[period]) for period in PERIODS if config[period] not in (None, UNKNOWN)]
        if not limits and all(config[period] is None for period in PERIODS):
            return f"must set a limit for one of {', '.join(PERIODS)}"
        for (shorter, fewer), (longer, more) in pairwise(limits):
            if more < fewer:
                return f"the limit {more:g} of {longer} must not be below {fewer:g} of {shorter}"
        if config["sync_rate"] not in (-1, UNKNOWN) and config["policy"] not in ("redis", UNKNOWN):
            return "sync_rate requires the policy redis"
        return None


@dataclass(frozen=True, kw_only=True)
class RequestSizeLimitingConfig(PluginConfig):
    """Rejects bodies above a size."""

    plugin: ClassVar[str] = "request-size-limiting"

    allowed_payload_size: Annotated[Number, between(0, 2**31 - 1)] = 128
    size_unit: Annotated[Text, one_of("megabytes", "kilobytes", "bytes")] = "megabytes"
    require_content_length: Annotated[Flag, boolean] = False


@dataclass(frozen=True, kw_only=True)
class CorrelationIdConfig(PluginConfig):
    """Adds an id to each request."""

    plugin: ClassVar[str] = "correlation-id"

    header_name: Annotated[Text, text] = "Kong-Request-ID"
    generator: Annotated[Text, one_of("uuid", "uuid#counter", "tracker")] = "uuid#counter"
    echo_downstream: Annotated[Flag, boolean] = False


@dataclass(frozen=True, kw_only=True)
class CorsConfig(PluginConfig):
    """Allows browsers to call from other origins."""

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
    """Allows or denies client addresses and networks."""

    plugin: ClassVar[str] = "ip-restriction"
    restricts_access: ClassVar[bool] = True
    protocols: ClassVar[tuple[str, ...]] = ("grpc", "grpcs", "http", "https", "tcp", "tls")

    allow: Annotated[Texts, each(text)] = None
    deny: Annotated[Texts, each(text)] = None
    status: Annotated[Number, between(100, 599)] = None
    message: Annotated[Text, text] = None

    @staticmethod
    def find_error(config: Props) -> str | None:
        return None if config["allow"] or config["deny"] else "must set allow or deny"


CONFIGS: dict[str, type[PluginConfig]] = {config.plugin: config for config in PluginConfig.__subclasses__()}


def restricts_access(plugin: str) -> bool:
    """Return whether a plugin may reject clients; any unknown one may."""
    return plugin not in CONFIGS or CONFIGS[plugin].restricts_access
