"""What the config of each plugin holds (kong/plugins/*/schema.lua of Kong 3.9.3)."""

from . import rules
from .fields import Field, Row, flag, integer, text

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


CONFIGS |= {
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
}


PROTOCOLS_OF = {"ip-restriction": ["grpc", "grpcs", "http", "https", "tcp", "tls"]}
"""The plugins that are for more than HTTP and gRPC."""


def nest_redis(body: Row) -> Row:
    """rate-limiting still takes the flat redis_* names of old, and the nested ones beat them."""
    config = body.get("config")
    if body.get("name", "rate-limiting") != "rate-limiting" or not isinstance(config, dict):
        return body
    flat = {f"redis_{name}": name for name in _REDIS if f"redis_{name}" in config}
    rest = {name: value for name, value in config.items() if name not in flat}
    nested = {name: config[old] for old, name in flat.items()} | (config.get("redis") or {})
    return body | {"config": rest | ({"redis": nested} if nested else {})}


def flatten_redis(row: Row) -> Row:
    """The answer carries the flat names beside the nested ones."""
    if row["name"] != "rate-limiting":
        return row
    flat = {f"redis_{name}": value for name, value in row["config"]["redis"].items()}
    return row | {"config": row["config"] | flat}
