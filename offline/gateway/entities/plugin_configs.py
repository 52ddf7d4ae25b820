"""Configs of the plugins (kong/plugins/*/schema.lua of Kong 3.9.3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from .. import checks, paths
from ..checks import Check
from ..schema import Field, Row, flag, integer, list_of, record, text
from .entity import PROTOCOLS, Error, Rules, at_least_one, conditional, on_record

PERIODS = ("second", "minute", "hour", "day", "month", "year")
_HTTP = ("grpc", "grpcs", "http", "https")
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_NUMBER = Field(kind="number")
_INTEGER = Field(kind="integer")
_FLAG = Field(kind="boolean", default=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginConfig:
    """The fields of a plugin's config, checks across them, and where the plugin can be used."""

    config: Mapping[str, Field]
    checks: tuple[Check, ...] = ()  # of the config
    rules: Rules = ()  # of the plugin
    protocols: tuple[str, ...] = _HTTP
    default_protocols: tuple[str, ...] = _HTTP
    for_consumers: bool = True


def _limits_are_consistent(config: Row) -> str | None:
    limits = [(period, config[period]) for period in PERIODS if config[period] is not None]
    for (shorter, fewer), (longer, more) in combinations(limits, 2):
        if more < fewer:
            return f"The limit for {longer}({more:.1f}) cannot be lower than the limit for {shorter}({fewer:.1f})"
    if config["sync_rate"] != -1 and config["policy"] != "redis":
        return "sync_rate can only be used with the redis policy"
    if config["sync_rate"] != -1 and config["sync_rate"] < 0.02:
        return "sync_rate must be greater than 0.02, or -1 to disable"
    return None


def _allows_or_denies(row: Row) -> Error | None:
    if bool(row["config"]["allow"]) != bool(row["config"]["deny"]):
        return None
    return "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"


def _asterisk_or_regex(value: str) -> str | None:
    try:
        re.compile("" if value == "*" else value)
    except re.error:
        return f"'{value}' is not a valid regex"
    return None


_REDIS: dict[str, Field] = {
    "host": text(checks.host),
    "port": integer(0, 65535, 6379),
    "timeout": integer(0, 2**31 - 2, 2000),
    "username": text(),
    "password": Field(empty=True),
    "database": Field(kind="integer", default=0),
    "ssl": _FLAG,
    "ssl_verify": _FLAG,
    "server_name": text(checks.server_name),
}
_ENFORCED: dict[str, PluginConfig] = {
    "key-auth": PluginConfig(
        config={
            "key_names": Field(kind="array", elements=text(checks.header_name), default=["apikey"], required=True),
            "hide_credentials": flag(default=False),
            "anonymous": text(),
            "key_in_header": flag(default=True),
            "key_in_query": flag(default=True),
            "key_in_body": flag(default=False),
            "run_on_preflight": flag(default=True),
            "realm": text(),
        },
        for_consumers=False,
    ),
    "acl": PluginConfig(
        config={
            "allow": list_of(text()),
            "deny": list_of(text()),
            "hide_groups_header": flag(default=False),
            "always_use_authenticated_groups": flag(default=False),
        },
        rules=((("config",), _allows_or_denies),),
        for_consumers=False,
    ),
    "ip-restriction": PluginConfig(
        config={
            "allow": list_of(text(checks.address_or_network)),
            "deny": list_of(text(checks.address_or_network)),
            "status": _NUMBER,
            "message": text(),
        },
        rules=(at_least_one("config.allow", "config.deny"),),
        protocols=PROTOCOLS,
        default_protocols=(*_HTTP, "tcp", "tls"),
    ),
    "rate-limiting": PluginConfig(
        config={
            **{period: Field(kind="number", checks=(checks.above(0),)) for period in PERIODS},
            "limit_by": text(
                checks.one_of("consumer", "credential", "ip", "service", "header", "path"), default="consumer"
            ),
            "header_name": text(checks.header_name),
            "path": text(paths.path),
            "policy": text(checks.one_of("local", "cluster", "redis"), default="local"),
            "fault_tolerant": flag(default=True),
            "hide_client_headers": flag(default=False),
            "error_code": Field(kind="number", default=429, checks=(checks.above(0),)),
            "error_message": text(default="API rate limit exceeded"),
            "sync_rate": Field(kind="number", default=-1, required=True),
            "redis": record(**_REDIS),
        },
        checks=(_limits_are_consistent,),
        rules=(
            at_least_one(*(f"config.{period}" for period in PERIODS)),
            conditional("config.policy", ("redis",), "config.redis.host", checks.required),
            conditional("config.limit_by", ("header",), "config.header_name", checks.required),
            conditional("config.limit_by", ("path",), "config.path", checks.required),
        ),
    ),
    "request-size-limiting": PluginConfig(
        config={
            "allowed_payload_size": Field(kind="integer", default=128),
            "size_unit": text(
                checks.one_of("megabytes", "kilobytes", "bytes"), required=True, default="megabytes"
            ),
            "require_content_length": flag(default=False),
        },
    ),
    "correlation-id": PluginConfig(
        config={
            "header_name": text(default="Kong-Request-ID"),
            "generator": text(
                checks.one_of("uuid", "uuid#counter", "tracker"), required=True, default="uuid#counter"
            ),
            "echo_downstream": flag(default=False),
        },
    ),
    "cors": PluginConfig(
        config={
            "origins": list_of(text(_asterisk_or_regex)),
            "headers": list_of(text()),
            "exposed_headers": list_of(text()),
            "methods": list_of(text(checks.one_of(*_METHODS)), [*_METHODS]),
            "max_age": _NUMBER,
            "credentials": flag(default=False),
            "private_network": flag(default=False),
            "preflight_continue": flag(default=False),
        },
        for_consumers=False,
    ),
}
_STORED_ONLY: dict[str, PluginConfig] = {
    "basic-auth": PluginConfig(
        config={
            "anonymous": text(),
            "hide_credentials": flag(default=False),
            "realm": text(required=True, default="service"),
        },
        for_consumers=False,
    ),
    "opentelemetry": PluginConfig(
        config={
            "traces_endpoint": text(),
            "logs_endpoint": text(),
            "headers": Field(kind="map", keys=(checks.header_name,), elements=text()),
            "resource_attributes": Field(kind="map", elements=text()),
            "batch_span_count": _INTEGER,
            "batch_flush_delay": _INTEGER,
            "connect_timeout": integer(0, 2**31 - 2, 1000),
            "send_timeout": integer(0, 2**31 - 2, 5000),
            "read_timeout": integer(0, 2**31 - 2, 5000),
            "http_response_header_for_traceid": text(),
            "header_type": text(default="preserve"),
            "sampling_rate": Field(kind="number", checks=(checks.between(0, 1),)),
        },
        checks=(on_record(at_least_one("traces_endpoint", "logs_endpoint")),),
    ),
    "prometheus": PluginConfig(
        config=dict.fromkeys(
            (
                "per_consumer", "status_code_metrics", "ai_metrics", "latency_metrics", "bandwidth_metrics",
                "upstream_health_metrics",
            ),
            _FLAG,
        ),
        protocols=PROTOCOLS,
    ),
}  # fmt: skip
CONFIGS = _ENFORCED | _STORED_ONLY


def rename_old_fields(body: Row) -> Row:
    """Replace old names of fields by today's, which take precedence (`shorthand_fields` of the schemas)."""
    config, name = body.get("config"), body.get("name")  # a PATCH may lack the name
    if not isinstance(config, dict):
        return body
    renamed = dict(config)
    if name in (None, "rate-limiting"):
        flat = {field: renamed.pop(f"redis_{field}") for field in _REDIS if f"redis_{field}" in config}
        renamed |= {"redis": flat | (config.get("redis") or {})} if flat else {}
    if name in (None, "opentelemetry") and "endpoint" in config:
        renamed["traces_endpoint"] = renamed.get("traces_endpoint") or renamed["endpoint"]
        del renamed["endpoint"]
    return body | {"config": renamed}


def add_flat_redis_fields(row: Row) -> Row:
    """Return rate-limiting with the old flat names of its Redis fields beside the nested ones."""
    if row["name"] != "rate-limiting":
        return row
    flat = {f"redis_{name}": value for name, value in row["config"]["redis"].items()}
    return row | {"config": row["config"] | flat}
