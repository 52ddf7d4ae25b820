"""What the config of each plugin holds (kong/plugins/*/schema.lua of Kong 3.9.3)."""

from collections import ChainMap

from . import rules
from .fields import Field, Row, flag, integer, record, text

PERIODS = ("second", "minute", "hour", "day", "month", "year")
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_REDIS: dict[str, Field] = {
    "host": text(),
    "port": integer(0, 65535, 6379),
    "timeout": integer(1, 2**31 - 2, 2000),
    "username": text(),
    "password": text(),
    "database": Field(kind="integer", default=0),
    "ssl": Field(kind="boolean", default=False),
    "ssl_verify": Field(kind="boolean", default=False),
    "server_name": text(),
}
CONFIGS: dict[str, dict[str, Field]] = {
    "key-auth": {
        "key_names": Field(
            kind="array",
            elements=text(rules.header_name),
            default=["apikey"],
            required=True,
            checks=(rules.not_empty,),
        ),
        "hide_credentials": flag(default=False),
        "anonymous": text(),
        "key_in_header": flag(default=True),
        "key_in_query": flag(default=True),
        "key_in_body": flag(default=False),
        "run_on_preflight": flag(default=True),
        "realm": text(),
    },
    "rate-limiting": {
        **{period: Field(kind="number", checks=(rules.above(0),)) for period in PERIODS},
        "limit_by": text(
            rules.one_of("consumer", "credential", "ip", "service", "header", "path", "consumer-group"),
            default="consumer",
        ),
        "header_name": text(rules.header_name),
        "path": text(rules.path),
        "policy": text(rules.one_of("local", "cluster", "redis"), default="local"),
        "fault_tolerant": flag(default=True),
        "hide_client_headers": flag(default=False),
        "error_code": Field(kind="number", default=429, checks=(rules.above(0),)),
        "error_message": text(default="API rate limit exceeded"),
        "sync_rate": Field(kind="number", default=-1, required=True),
        "redis": Field(kind="record", fields=_REDIS, required=True),
    },
    "request-size-limiting": {
        "allowed_payload_size": Field(kind="integer", default=128),
        "size_unit": text(rules.one_of("megabytes", "kilobytes", "bytes"), required=True, default="megabytes"),
        "require_content_length": flag(default=False),
    },
    "correlation-id": {
        "header_name": text(rules.header_name, required=True, default="Kong-Request-ID"),
        "generator": text(rules.one_of("uuid", "uuid#counter", "tracker"), required=True, default="uuid#counter"),
        "echo_downstream": flag(default=False),
    },
}


_QUEUE = record(
    max_batch_size=integer(1, 1000000, 200),
    max_coalescing_delay=Field(kind="number", default=1),
    max_entries=integer(1, 1000000, 10000),
    max_bytes=Field(kind="integer"),
    max_retry_time=Field(kind="number", default=60),
    initial_retry_delay=Field(kind="number", default=0.01),
    max_retry_delay=Field(kind="number", default=60),
    concurrency_limit=Field(kind="integer", default=1, checks=(rules.one_of(-1, 1),)),
)
# Kept and not enforced.
CONFIGS |= {
    "acl": {
        "allow": Field(kind="array", elements=text()),
        "deny": Field(kind="array", elements=text()),
        "hide_groups_header": flag(default=False),
        "always_use_authenticated_groups": flag(default=False),
    },
    "cors": {
        **{name: Field(kind="array", elements=text()) for name in ("origins", "headers", "exposed_headers")},
        "methods": Field(kind="array", elements=text(rules.one_of(*_METHODS)), default=list(_METHODS)),
        "max_age": Field(kind="number"),
        "credentials": flag(default=False),
        "private_network": flag(default=False),
        "preflight_continue": flag(default=False),
    },
    "ip-restriction": {
        "allow": Field(kind="array", elements=text()),
        "deny": Field(kind="array", elements=text()),
        "status": Field(kind="number"),
        "message": text(),
    },
    "basic-auth": {
        "anonymous": text(),
        "hide_credentials": flag(default=False),
        "realm": text(required=True, default="service"),
    },
    "jwt": {
        "uri_param_names": Field(kind="set", elements=text(), default=["jwt"]),
        "cookie_names": Field(kind="set", elements=text(), default=[]),
        "key_claim_name": text(default="iss"),
        "secret_is_base64": flag(default=False),
        "claims_to_verify": Field(kind="set", elements=text(rules.one_of("exp", "nbf"))),
        "anonymous": text(),
        "run_on_preflight": flag(default=True),
        "maximum_expiration": Field(kind="number", default=0),
        "header_names": Field(kind="set", elements=text(), default=["authorization"]),
        "realm": text(),
    },
    "opentelemetry": {
        "traces_endpoint": text(),
        "logs_endpoint": text(),
        "headers": Field(kind="map", keys=(rules.header_name,), elements=text()),
        "resource_attributes": Field(kind="map", elements=text()),
        "queue": _QUEUE,
        "batch_span_count": Field(kind="integer"),
        "batch_flush_delay": Field(kind="integer"),
        "connect_timeout": integer(0, 2**31 - 2, 1000),
        "send_timeout": integer(0, 2**31 - 2, 5000),
        "read_timeout": integer(0, 2**31 - 2, 5000),
        "http_response_header_for_traceid": text(),
        "header_type": text(default="preserve"),
        "sampling_rate": Field(kind="number", checks=(rules.between(0, 1),)),
        "propagation": record(
            **{name: Field(kind="array", elements=text()) for name in ("extract", "clear", "inject")},
            default_format=text(required=True, default="w3c"),
        ),
    },
    "prometheus": {
        f"{name}": Field(kind="boolean", default=False)
        for name in (
            "per_consumer",
            *(f"{what}_metrics" for what in ("status_code", "ai", "latency", "bandwidth", "upstream_health")),
        )
    },
}


PROTOCOLS_OF = {
    "ip-restriction": ["grpc", "grpcs", "http", "https", "tcp", "tls"],
    "prometheus": ["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"],
}
"""The plugins that are for more than HTTP and gRPC."""

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
