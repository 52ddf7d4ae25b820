"""What there is to say of each plugin (kong/plugins/*/schema.lua of Kong 3.9.3)."""

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from . import paths, rules
from .entities.entity import PROTOCOLS, Fault, Rules, at_least_one, conditional, whole
from .fields import Field, Row, flag, integer, list_of, record, text
from .rules import Check

_HTTP = ("grpc", "grpcs", "http", "https")
_PERIODS = ("second", "minute", "hour", "day", "month", "year")
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_NUMBER = Field(kind="number")
_INTEGER = Field(kind="integer")
_FLAG = Field(kind="boolean", default=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What its config holds, the rules for several of its fields, and what it can be for."""

    config: Mapping[str, Field]
    checks: tuple[Check, ...] = ()  # of the config
    rules: Rules = ()  # of the plugin
    protocols: tuple[str, ...] = _HTTP
    takes: tuple[str, ...] = _HTTP
    for_consumers: bool = True


def _limits_fit(config: Row) -> str | None:
    given = [(period, config[period]) for period in _PERIODS if config[period] is not None]
    for (shorter, fewer), (longer, more) in combinations(given, 2):
        if more < fewer:
            return f"The limit for {longer}({more:.1f}) cannot be lower than the limit for {shorter}({fewer:.1f})"
    if config["sync_rate"] != -1 and config["policy"] != "redis":
        return "sync_rate can only be used with the redis policy"
    if config["sync_rate"] != -1 and config["sync_rate"] < 0.02:
        return "sync_rate must be greater than 0.02, or -1 to disable"
    return None


def _allows_or_denies(row: Row) -> Fault | None:
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
    "host": text(rules.host),
    "port": integer(0, 65535, 6379),
    "timeout": integer(0, 2**31 - 2, 2000),
    "username": text(),
    "password": Field(empty=True),
    "database": Field(kind="integer", default=0),
    "ssl": _FLAG,
    "ssl_verify": _FLAG,
    "server_name": text(rules.server_name),
}
_QUEUE = record(
    max_batch_size=integer(1, 1000000, 200),
    max_coalescing_delay=Field(kind="number", default=1),
    max_entries=integer(1, 1000000, 10000),
    max_bytes=_INTEGER,
    max_retry_time=Field(kind="number", default=60),
    initial_retry_delay=Field(kind="number", default=0.01),
    max_retry_delay=Field(kind="number", default=60),
    concurrency_limit=Field(kind="integer", default=1, checks=(rules.one_of(-1, 1),)),
)
PLUGINS: dict[str, Plugin] = {
    "key-auth": Plugin(
        config={
            "key_names": Field(kind="array", elements=text(rules.header_name), default=["apikey"], required=True),
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
    "acl": Plugin(
        config={
            "allow": list_of(text()),
            "deny": list_of(text()),
            "hide_groups_header": flag(default=False),
            "always_use_authenticated_groups": flag(default=False),
        },
        rules=((("config",), _allows_or_denies),),
        for_consumers=False,
    ),
    "ip-restriction": Plugin(
        config={
            "allow": list_of(text(rules.address_or_network)),
            "deny": list_of(text(rules.address_or_network)),
            "status": _NUMBER,
            "message": text(),
        },
        rules=(at_least_one("config.allow", "config.deny"),),
        protocols=(*_HTTP, "tcp", "tls"),
        takes=PROTOCOLS,
    ),
    "rate-limiting": Plugin(
        config={
            **{period: Field(kind="number", checks=(rules.above(0),)) for period in _PERIODS},
            "limit_by": text(
                rules.one_of("consumer", "credential", "ip", "service", "header", "path"), default="consumer"
            ),
            "header_name": text(rules.header_name),
            "path": text(paths.path),
            "policy": text(rules.one_of("local", "cluster", "redis"), default="local"),
            "fault_tolerant": flag(default=True),
            "hide_client_headers": flag(default=False),
            "error_code": Field(kind="number", default=429, checks=(rules.above(0),)),
            "error_message": text(default="API rate limit exceeded"),
            "sync_rate": Field(kind="number", default=-1, required=True),
            "redis": record(**_REDIS),
        },
        checks=(_limits_fit,),
        rules=(
            at_least_one(*(f"config.{period}" for period in _PERIODS)),
            conditional("config.policy", ("redis",), "config.redis.host", rules.required),
            conditional("config.limit_by", ("header",), "config.header_name", rules.required),
            conditional("config.limit_by", ("path",), "config.path", rules.required),
        ),
    ),
    "request-size-limiting": Plugin(
        config={
            "allowed_payload_size": Field(kind="integer", default=128),
            "size_unit": text(rules.one_of("megabytes", "kilobytes", "bytes"), required=True, default="megabytes"),
            "require_content_length": flag(default=False),
        },
    ),
    "correlation-id": Plugin(
        config={
            "header_name": text(default="Kong-Request-ID"),
            "generator": text(
                rules.one_of("uuid", "uuid#counter", "tracker"), required=True, default="uuid#counter"
            ),
            "echo_downstream": flag(default=False),
        },
    ),
    # What follows is kept and not enforced.
    "cors": Plugin(
        config={
            "origins": list_of(text(_asterisk_or_regex)),
            "headers": list_of(text()),
            "exposed_headers": list_of(text()),
            "methods": list_of(text(rules.one_of(*_METHODS)), [*_METHODS]),
            "max_age": _NUMBER,
            "credentials": flag(default=False),
            "private_network": flag(default=False),
            "preflight_continue": flag(default=False),
        },
        for_consumers=False,
    ),
    "basic-auth": Plugin(
        config={
            "anonymous": text(),
            "hide_credentials": flag(default=False),
            "realm": text(required=True, default="service"),
        },
        for_consumers=False,
    ),
    "opentelemetry": Plugin(
        config={
            "traces_endpoint": text(),
            "logs_endpoint": text(),
            "headers": Field(kind="map", keys=(rules.header_name,), elements=text()),
            "resource_attributes": Field(kind="map", elements=text()),
            "queue": _QUEUE,
            "batch_span_count": _INTEGER,
            "batch_flush_delay": _INTEGER,
            "connect_timeout": integer(0, 2**31 - 2, 1000),
            "send_timeout": integer(0, 2**31 - 2, 5000),
            "read_timeout": integer(0, 2**31 - 2, 5000),
            "http_response_header_for_traceid": text(),
            "header_type": text(default="preserve"),
            "sampling_rate": Field(kind="number", checks=(rules.between(0, 1),)),
            "propagation": record(
                extract=list_of(text()),
                clear=list_of(text()),
                inject=list_of(text()),
                default_format=text(required=True, default="w3c"),
            ),
        },
        checks=(whole(at_least_one("traces_endpoint", "logs_endpoint")),),
    ),
    "prometheus": Plugin(
        config={
            "per_consumer": _FLAG,
            "status_code_metrics": _FLAG,
            "ai_metrics": _FLAG,
            "latency_metrics": _FLAG,
            "bandwidth_metrics": _FLAG,
            "upstream_health_metrics": _FLAG,
        },
        takes=PROTOCOLS,
    ),
}

_RENAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "rate-limiting": {f"redis_{name}": ("redis", name) for name in _REDIS},
    "opentelemetry": {"endpoint": ("traces_endpoint",)},
}
"""The names of old that plugins still take, and where what they hold is kept (their `shorthand_fields`)."""


def by_new_names(body: Row) -> Row:
    """A plugin by the names of today; they beat those of old. A change need not say which plugin it is of."""
    config = body.get("config")
    if not isinstance(config, dict):
        return body
    renamed = _RENAMED.get(body["name"], {}) if "name" in body else dict(ChainMap(*_RENAMED.values()))
    meant = {name: value for name, value in config.items() if name not in renamed}
    for old in config.keys() & renamed.keys():
        first, *below = renamed[old]
        known = meant.get(first)
        meant[first] = {below[0]: config[old]} | (known or {}) if below else known or config[old]
    return body | {"config": meant}


def flatten_redis(row: Row) -> Row:
    """The answer carries the flat names beside the nested ones."""
    if row["name"] != "rate-limiting":
        return row
    flat = {f"redis_{name}": value for name, value in row["config"]["redis"].items()}
    return row | {"config": row["config"] | flat}
