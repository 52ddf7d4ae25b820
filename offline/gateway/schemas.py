"""The entities Kong keeps, as one table: their fields, unique keys, and rules across fields.

Defaults, bounds and wording follow kong/db/schema/entities/*.lua and kong/plugins/*/schema.lua of Kong 3.9.3.
"""

import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from . import rules
from .fields import Field, Row

Rule = Callable[[Row], str | None]
Fields = Mapping[str, Field]
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """One kind of row; `key` is the field that can stand for the id in a path, `rules` look at several fields."""

    name: str
    fields: Fields
    key: str = ""
    path: str = ""
    listed: bool = True  # has a path of its own beside the ones under what it references
    unique: tuple[tuple[str, ...], ...] = ()
    rules: tuple[tuple[tuple[str, ...], Rule], ...] = ()
    expand: Callable[[Row], Row] = dict
    present: Callable[[Row], Row] = dict


def _text(*checks: rules.Check, required: bool = False, default: str | None = None) -> Field:
    return Field(checks=checks, required=required, default=default)


def _integer(low: int, high: int, default: int | None = None, *, required: bool = False) -> Field:
    return Field(kind="integer", checks=(rules.between(low, high),), default=default, required=required)


def _flag(*, default: bool) -> Field:
    return Field(kind="boolean", default=default, required=True)


def _list(element: Field, default: list[object] | None = None, *, kind: str = "array") -> Field:
    return Field(kind=kind, elements=element, default=default)


def _record(*, required: bool = True, **fields: Field) -> Field:
    return Field(kind="record", fields=fields, required=required)


def _foreign(reference: str, *, cascade: bool = False, required: bool = False) -> Field:
    return Field(kind="foreign", reference=reference, cascade=cascade, required=required)


_ID = Field(auto=lambda: str(uuid.uuid4()), required=True, checks=(rules.uuid_text,))
_NOW = Field(kind="integer", auto=lambda: int(time.time()), required=True)
_NOW_MS = Field(kind="number", auto=lambda: round(time.time(), 3), required=True)
_TAGS = _list(_text(rules.tag), kind="set")
_STAMPED: Fields = {"id": _ID, "created_at": _NOW, "updated_at": _NOW, "tags": _TAGS}
_ANY_INT = Field(kind="integer")
_STATUSES = _integer(100, 999)
_NAME = _text(rules.name)


def _at_least_one(*names: str) -> tuple[tuple[str, ...], Rule]:
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        nested = [name.split(".") for name in names]
        values = [(row.get(way[0]) or {}).get(way[1]) if len(way) > 1 else row.get(way[0]) for way in nested]
        if any(value is not None for value in values):
            return None
        return f"at least one of these fields must be non-empty: {listed}"

    return tuple(name.split(".")[0] for name in names), rule


# --- services -------------------------------------------------------------------------------------------------

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?"
    r"(?://(?:[^@/?#]*@)?(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:/?#]*))(?::(?P<port>[^/?#]*))?)?"
    r"(?P<path>[^?#]*).*",
    re.DOTALL,
)


def _expand_url(body: Row) -> Row:
    """`url` stands for protocol, host, port and path, and beats them (entities/services.lua, shorthand_fields)."""
    url = body.get("url")
    if not isinstance(url, str) or (parts := _URL.fullmatch(url)) is None:
        return body  # left in place, where a rule refuses it
    port = parts["port"]
    meant: Row = {"host": parts["v6"] or parts["host"] or None, "path": parts["path"] or None}
    if parts["scheme"]:
        meant["protocol"] = parts["scheme"]
    if port:
        meant["port"] = int(port) if port.isdigit() else port
    elif parts["scheme"] in ("http", "https"):
        meant["port"] = {"http": 80, "https": 443}[parts["scheme"]]
    return {name: value for name, value in body.items() if name != "url"} | meant


def _path_needs_http(row: Row) -> str | None:
    if row["path"] is None or row["protocol"] in ("http", "https"):
        return None
    return "failed conditional validation given value of field 'protocol': value must be null"


def _tls_needs_https(name: str) -> tuple[tuple[str, ...], Rule]:
    def rule(row: Row) -> str | None:
        if row[name] is None or row["protocol"] in ("https", "tls"):
            return None
        return f"'{name}' can only be set when 'protocol' is 'https' or 'tls'"

    return (name, "protocol"), rule


_TIMEOUT = _integer(1, 2**31 - 2, 60000)
_SERVICES = Entity(
    name="services",
    key="name",
    unique=(("name",),),
    expand=_expand_url,
    fields=_STAMPED
    | {
        "name": _NAME,
        "retries": _integer(0, 32767, 5),
        "protocol": _text(rules.one_of(*PROTOCOLS), required=True, default="http"),
        "host": _text(rules.host, required=True),
        "port": _integer(0, 65535, 80, required=True),
        "path": _text(rules.path),
        "connect_timeout": _TIMEOUT,
        "write_timeout": _TIMEOUT,
        "read_timeout": _TIMEOUT,
        "client_certificate": _foreign("certificates"),
        "tls_verify": Field(kind="boolean"),
        "tls_verify_depth": _integer(0, 64),
        "ca_certificates": _list(Field()),
        "enabled": _flag(default=True),
    },
    rules=(
        (("path", "protocol"), _path_needs_http),
        *(
            _tls_needs_https(n)
            for n in ("client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates")
        ),
    ),
)

# --- routes ---------------------------------------------------------------------------------------------------

_EXCLUSIVE = (("http", "https"), ("tcp", "tls", "udp"), ("tls_passthrough",), ("grpc", "grpcs"))


def _one_family(protocols: list[str]) -> str | None:
    used = [family for family in _EXCLUSIVE if set(family) & set(protocols)]
    if len(used) < 2:
        return None
    families = ", ".join("(" + ", ".join(f"'{name}'" for name in family) + ")" for family in used)
    return f"these sets are mutually exclusive: {families}"


def _matches_something(row: Row) -> str | None:
    """What a route must have to match by, by its protocols (entities/routes_subschemas.lua)."""
    protocols = row["protocols"] or ()
    for protocol, names in (
        ("https", ("methods", "hosts", "headers", "paths", "snis")),
        ("http", ("methods", "hosts", "headers", "paths")),
        ("grpcs", ("hosts", "headers", "paths", "snis")),
        ("grpc", ("hosts", "headers", "paths")),
    ):
        if protocol in protocols:
            listed = ", ".join(f"'{name}'" for name in names)
            found = any(row[name] for name in names)
            return None if found else f"must set one of {listed} when 'protocols' is '{protocol}'"
    found = any(row[name] for name in ("sources", "destinations", "snis"))
    return (
        None
        if found
        else "must set one of 'sources', 'destinations', 'snis' when 'protocols' is 'tcp', 'tls' or 'udp'"
    )


def _snis_need_tls(row: Row) -> str | None:
    if not row["snis"] or set(row["protocols"] or ()) & {"grpcs", "https", "tls", "tls_passthrough"}:
        return None
    return "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"


_MATCHERS = ("protocols", "methods", "hosts", "headers", "paths", "snis", "sources", "destinations")
_ADDRESSES = _list(_record(ip=_text(), port=_integer(0, 65535)), kind="set")
_ROUTES = Entity(
    name="routes",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": _NAME,
        "protocols": Field(
            kind="set",
            elements=_text(rules.one_of(*PROTOCOLS)),
            default=["http", "https"],
            checks=(rules.not_empty, _one_family),
            required=True,
        ),
        "methods": _list(_text(rules.http_method), kind="set"),
        "hosts": _list(_text(rules.route_host)),
        "paths": _list(_text(rules.route_path)),
        "headers": Field(kind="map", keys=(rules.header_name, rules.no_host_header), elements=_list(_text())),
        "https_redirect_status_code": Field(
            kind="integer", checks=(rules.one_of(426, 301, 302, 307, 308),), default=426, required=True
        ),
        "regex_priority": Field(kind="integer", default=0),
        "strip_path": _flag(default=True),
        "path_handling": _text(rules.one_of("v0", "v1"), default="v0"),
        "preserve_host": _flag(default=False),
        "request_buffering": _flag(default=True),
        "response_buffering": _flag(default=True),
        "snis": _list(_text(rules.server_name), kind="set"),
        "sources": _ADDRESSES,
        "destinations": _ADDRESSES,
        "service": _foreign("services"),
    },
    rules=((_MATCHERS, _matches_something), (("snis", "protocols"), _snis_need_tls)),
)

# --- upstreams and targets ------------------------------------------------------------------------------------

_HASHES = ("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
_SECONDS = Field(kind="number", checks=(rules.between(0, 65535),), default=0)
_COUNT = _integer(0, 255, 0)
_CHECK_TYPE = _text(rules.one_of("tcp", "http", "https", "grpc", "grpcs"), default="http")
_HEALTHY = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308]
_FAILURES: Fields = {"tcp_failures": _COUNT, "timeouts": _COUNT, "http_failures": _COUNT}


def _needs(field: str, value: str, other: str) -> tuple[tuple[str, ...], Rule]:
    def rule(row: Row) -> str | None:
        if row[field] != value or row[other] is not None:
            return None
        return (
            f"failed conditional validation given value of field '{field}': {other}: required field missing"
        )

    return (field, other), rule


def _fallback_fits(row: Row) -> str | None:
    if row["hash_on"] in ("none", "cookie") and row["hash_fallback"] != "none":
        return "failed conditional validation given value of field 'hash_on': hash_fallback: expected one of: none"
    if row["hash_on"] in ("consumer", "ip", "path") and row["hash_fallback"] == row["hash_on"]:
        return "failed conditional validation given value of field 'hash_on': hash_fallback: must differ"
    return None


_UPSTREAMS = Entity(
    name="upstreams",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": _text(rules.upstream_name, required=True),
        "algorithm": _text(
            rules.one_of("consistent-hashing", "least-connections", "round-robin", "latency"),
            default="round-robin",
        ),
        "hash_on": _text(rules.one_of(*_HASHES), default="none"),
        "hash_fallback": _text(rules.one_of(*_HASHES), default="none"),
        "hash_on_header": _text(rules.header_name),
        "hash_fallback_header": _text(rules.header_name),
        "hash_on_cookie": _text(),
        "hash_on_cookie_path": _text(rules.path, default="/"),
        "hash_on_query_arg": _text(),
        "hash_fallback_query_arg": _text(),
        "hash_on_uri_capture": _text(),
        "hash_fallback_uri_capture": _text(),
        "slots": _integer(10, 65536, 10000),
        "healthchecks": _record(
            active=_record(
                type=_CHECK_TYPE,
                timeout=replace(_SECONDS, default=1),
                concurrency=_integer(1, 2**31, 10),
                http_path=_text(rules.path, default="/"),
                https_sni=_text(rules.server_name),
                https_verify_certificate=replace(_flag(default=True), required=False),
                headers=Field(kind="map", keys=(rules.header_name,), elements=_list(_text())),
                healthy=_record(
                    interval=_SECONDS, http_statuses=_list(_STATUSES, [200, 302]), successes=_COUNT
                ),
                unhealthy=_record(
                    interval=_SECONDS,
                    http_statuses=_list(_STATUSES, [429, 404, 500, 501, 502, 503, 504, 505]),
                    **_FAILURES,
                ),
            ),
            passive=_record(
                type=_CHECK_TYPE,
                healthy=_record(http_statuses=_list(_STATUSES, [*_HEALTHY]), successes=_COUNT),
                unhealthy=_record(http_statuses=_list(_STATUSES, [429, 500, 503]), **_FAILURES),
            ),
            threshold=Field(kind="number", checks=(rules.between(0, 100),), default=0),
        ),
        "host_header": _text(rules.host),
        "client_certificate": _foreign("certificates"),
        "use_srv_name": replace(_flag(default=False), required=False),
    },
    rules=(
        *(
            _needs("hash_on", kind, f"hash_on_{kind}")
            for kind in ("header", "cookie", "query_arg", "uri_capture")
        ),
        *(
            _needs("hash_fallback", kind, f"hash_fallback_{kind}")
            for kind in ("header", "query_arg", "uri_capture")
        ),
        (("hash_on", "hash_fallback"), _fallback_fits),
    ),
)


def _with_port(body: Row) -> Row:
    """A target without a port gets Kong's default of 8000 (entities/targets.lua, format_target)."""
    target = body.get("target")
    address = rules.split_address(target) if isinstance(target, str) else None
    if address is None or address[1] is not None:
        return body
    return body | {"target": f"[{address[0]}]:8000" if address[2] == "ipv6" else f"{address[0]}:8000"}


_TARGETS = Entity(
    name="targets",
    key="target",
    listed=False,
    unique=(("target", "upstream"),),
    expand=_with_port,
    fields={
        "id": _ID,
        "created_at": _NOW_MS,
        "updated_at": _NOW_MS,
        "tags": _TAGS,
        "target": _text(rules.target, required=True),
        "weight": _integer(0, 65535, 100),
        "upstream": _foreign("upstreams", cascade=True, required=True),
    },
)

# --- consumers, their keys, certificates ----------------------------------------------------------------------

_CONSUMERS = Entity(
    name="consumers",
    key="username",
    unique=(("username",), ("custom_id",)),
    fields=_STAMPED | {"username": _text(), "custom_id": _text()},
    rules=(_at_least_one("custom_id", "username"),),
)
_KEYS = Entity(
    name="keyauth_credentials",
    path="key-auths",
    key="key",
    unique=(("key",),),
    fields={
        "id": _ID,
        "created_at": _NOW,
        "tags": _TAGS,
        "key": Field(auto=lambda: secrets.token_hex(16)),
        "ttl": _integer(0, 100_000_000),
        "consumer": _foreign("consumers", cascade=True, required=True),
    },
)


def _pair_matches(row: Row) -> str | None:
    return None if rules.matching_pair(row["cert"], row["key"]) else "certificate does not match key"


_CERTIFICATES = Entity(
    name="certificates",
    fields=_STAMPED
    | {
        "cert": _text(rules.certificate, required=True),
        "key": _text(rules.private_key, required=True),
        "cert_alt": _text(rules.certificate),
        "key_alt": _text(rules.private_key),
        "snis": Field(
            kind="set", elements=_text(rules.server_name), default=[], names=("snis", "certificate")
        ),
    },
    rules=((("cert", "key"), _pair_matches),),
)
_SNIS = Entity(
    name="snis",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": _text(rules.server_name, required=True),
        "certificate": _foreign("certificates", cascade=True, required=True),
    },
)

# --- plugins --------------------------------------------------------------------------------------------------

_PERIODS = ("second", "minute", "hour", "day", "month", "year")
_REDIS: Fields = {
    "host": _text(),
    "port": _integer(0, 65535, 6379),
    "timeout": replace(_TIMEOUT, default=2000),
    "username": _text(),
    "password": _text(),
    "database": Field(kind="integer", default=0),
    "ssl": Field(kind="boolean", default=False),
    "ssl_verify": Field(kind="boolean", default=False),
    "server_name": _text(),
}
CONFIGS: dict[str, Fields] = {
    "key-auth": {
        "key_names": Field(
            kind="array",
            elements=_text(rules.header_name),
            default=["apikey"],
            required=True,
            checks=(rules.not_empty,),
        ),
        "hide_credentials": _flag(default=False),
        "anonymous": _text(),
        "key_in_header": _flag(default=True),
        "key_in_query": _flag(default=True),
        "key_in_body": _flag(default=False),
        "run_on_preflight": _flag(default=True),
        "realm": _text(),
    },
    "rate-limiting": {
        **{period: Field(kind="number", checks=(rules.above(0),)) for period in _PERIODS},
        "limit_by": _text(
            rules.one_of("consumer", "credential", "ip", "service", "header", "path", "consumer-group"),
            default="consumer",
        ),
        "header_name": _text(rules.header_name),
        "path": _text(rules.path),
        "policy": _text(rules.one_of("local", "cluster", "redis"), default="local"),
        "fault_tolerant": _flag(default=True),
        "hide_client_headers": _flag(default=False),
        "error_code": Field(kind="number", default=429, checks=(rules.above(0),)),
        "error_message": _text(default="API rate limit exceeded"),
        "sync_rate": Field(kind="number", default=-1, required=True),
        "redis": Field(kind="record", fields=_REDIS, required=True),
    },
    "request-size-limiting": {
        "allowed_payload_size": Field(kind="integer", default=128),
        "size_unit": _text(
            rules.one_of("megabytes", "kilobytes", "bytes"), required=True, default="megabytes"
        ),
        "require_content_length": _flag(default=False),
    },
    "correlation-id": {
        "header_name": _text(rules.header_name, required=True, default="Kong-Request-ID"),
        "generator": _text(
            rules.one_of("uuid", "uuid#counter", "tracker"), required=True, default="uuid#counter"
        ),
        "echo_downstream": _flag(default=False),
    },
}


def _enabled(name: str) -> str | None:
    if name in CONFIGS:
        return None
    return f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"


def _has_a_limit(row: Row) -> str | None:
    if row["name"] != "rate-limiting":
        return None
    return _at_least_one(*(f"config.{period}" for period in _PERIODS))[1](row)


def _nest_redis(body: Row) -> Row:
    """rate-limiting still takes the flat redis_* names of old (kong/plugins/rate-limiting/schema.lua)."""
    config = body.get("config")
    if body.get("name", "rate-limiting") != "rate-limiting" or not isinstance(config, dict):
        return body
    flat = {
        name: value
        for name, value in config.items()
        if name.removeprefix("redis_") in _REDIS and name[:6] == "redis_"
    }
    nested = {name.removeprefix("redis_"): value for name, value in flat.items()} | (
        config.get("redis") or {}
    )
    rest = {name: value for name, value in config.items() if name not in flat}
    return body | {"config": rest | ({"redis": nested} if nested else {})}


def _flatten_redis(row: Row) -> Row:
    if row["name"] != "rate-limiting":
        return row
    return row | {
        "config": row["config"] | {f"redis_{name}": value for name, value in row["config"]["redis"].items()}
    }


_PLUGINS = Entity(
    name="plugins",
    key="instance_name",
    unique=(("name", "service", "route", "consumer"), ("instance_name",)),
    expand=_nest_redis,
    present=_flatten_redis,
    fields=_STAMPED
    | {
        "name": _text(_enabled, required=True),
        "instance_name": _NAME,
        "config": Field(kind="record", required=True),
        "enabled": _flag(default=True),
        "protocols": Field(
            kind="set",
            elements=_text(rules.one_of(*PROTOCOLS)),
            default=["grpc", "grpcs", "http", "https"],
            required=True,
        ),
        "service": _foreign("services", cascade=True),
        "route": _foreign("routes", cascade=True),
        "consumer": _foreign("consumers", cascade=True),
    },
    rules=((("name", "config"), _has_a_limit),),
)


def fields_of(entity: Entity, body: Row) -> Fields:
    """The entity's fields; a plugin's config is the record of the plugin it names."""
    if entity is not _PLUGINS:
        return entity.fields
    known = CONFIGS.get(body.get("name") or "")
    return {**entity.fields, "config": Field(kind="record", fields=known, required=True, default={})}


ENTITIES = {
    entity.name: entity
    for entity in (
        _SERVICES,
        _ROUTES,
        _UPSTREAMS,
        _TARGETS,
        _CONSUMERS,
        _KEYS,
        _CERTIFICATES,
        _SNIS,
        _PLUGINS,
    )
}
