"""The entities Kong keeps, as one table: their fields, unique keys, and rules across fields.

Defaults, bounds and wording follow kong/db/schema/entities/*.lua and kong/plugins/*/schema.lua of Kong 3.9.3.
"""

import ipaddress
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from . import rules
from .configs import CONFIGS, PERIODS, PROTOCOLS_OF, flatten_redis, nest_redis
from .errors import schema_violation
from .fields import Field, Row, flag, foreign, integer, list_of, record, set_of, text

Rule = Callable[[Row], str | None]
Fields = dict[str, Field]
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """One kind of row; `key` is the field that can stand for the id, `rules` look at several fields."""

    name: str
    fields: Fields
    key: str = ""
    path: str = ""
    listed: bool = True  # has a path of its own beside the ones under what it references
    unique: tuple[tuple[str, ...], ...] = ()
    rules: tuple[tuple[tuple[str, ...], Rule], ...] = ()
    expand: Callable[[Row], Row] = dict
    present: Callable[[Row], Row] = dict


_ID = Field(auto=lambda: str(uuid.uuid4()), required=True, checks=(rules.uuid_text,))
_NOW = Field(kind="integer", auto=lambda: int(time.time()), required=True)
_NOW_MS = Field(kind="number", auto=lambda: round(time.time(), 3), required=True)
_TAGS = set_of(text(rules.tag))
_STAMPED: Fields = {"id": _ID, "created_at": _NOW, "updated_at": _NOW, "tags": _TAGS}
_ANY_INT = Field(kind="integer")
_STATUSES = integer(100, 999)
_NAME = text(rules.name)


def _at_least_one(*names: str) -> tuple[tuple[str, ...], Rule]:
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        nested = [name.split(".") for name in names]
        values = [(row.get(way[0]) or {}).get(way[1]) if len(way) > 1 else row.get(way[0]) for way in nested]
        if any(value is not None for value in values):
            return None
        return f"at least one of these fields must be non-empty: {listed}"

    return tuple(name.split(".")[0] for name in names), rule


# services

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?"
    r"(?://(?:[^@/?#]*@)?(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:/?#]*))(?::(?P<port>[^/?#]*))?)?"
    r"(?P<path>[^?#]*).*",
    re.DOTALL,
)


def _expand_url(body: Row) -> Row:
    """`url` stands for protocol, host, port and path, and beats them (entities/services.lua)."""
    if "url" not in body:
        return body
    if not isinstance(body["url"], str):
        raise schema_violation({"url": "expected a string"})
    parts = _URL.fullmatch(body["url"])
    if parts is None:
        raise schema_violation({"url": "could not parse url"})
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


_TIMEOUT = integer(1, 2**31 - 2, 60000)
_SERVICES = Entity(
    name="services",
    key="name",
    unique=(("name",),),
    expand=_expand_url,
    fields=_STAMPED
    | {
        "name": _NAME,
        "retries": integer(0, 32767, 5),
        "protocol": text(rules.one_of(*PROTOCOLS), required=True, default="http"),
        "host": text(rules.host, required=True),
        "port": integer(0, 65535, 80, required=True),
        "path": text(rules.path),
        "connect_timeout": _TIMEOUT,
        "write_timeout": _TIMEOUT,
        "read_timeout": _TIMEOUT,
        "client_certificate": foreign("certificates"),
        "tls_verify": Field(kind="boolean"),
        "tls_verify_depth": integer(0, 64),
        "ca_certificates": list_of(Field()),
        "enabled": flag(default=True),
    },
    rules=(
        (("path", "protocol"), _path_needs_http),
        *(
            _tls_needs_https(n)
            for n in ("client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates")
        ),
    ),
)

# routes

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
_ADDRESSES = set_of(record(ip=text(), port=integer(0, 65535)))
_ROUTES = Entity(
    name="routes",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": _NAME,
        "protocols": Field(
            kind="set",
            elements=text(rules.one_of(*PROTOCOLS)),
            default=["http", "https"],
            checks=(rules.not_empty, _one_family),
            required=True,
        ),
        "methods": set_of(text(rules.http_method)),
        "hosts": list_of(text(rules.route_host)),
        "paths": list_of(text(rules.route_path)),
        "headers": Field(kind="map", keys=(rules.header_name, rules.no_host_header), elements=list_of(text())),
        "https_redirect_status_code": Field(
            kind="integer", checks=(rules.one_of(426, 301, 302, 307, 308),), default=426, required=True
        ),
        "regex_priority": Field(kind="integer", default=0),
        "strip_path": flag(default=True),
        "path_handling": text(rules.one_of("v0", "v1"), default="v0"),
        "preserve_host": flag(default=False),
        "request_buffering": flag(default=True),
        "response_buffering": flag(default=True),
        "snis": set_of(text(rules.server_name)),
        "sources": _ADDRESSES,
        "destinations": _ADDRESSES,
        "service": foreign("services"),
    },
    rules=((_MATCHERS, _matches_something), (("snis", "protocols"), _snis_need_tls)),
)

# upstreams and targets

_HASHES = ("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
_SECONDS = Field(kind="number", checks=(rules.between(0, 65535),), default=0)
_COUNT = integer(0, 255, 0)
_CHECK_TYPE = text(rules.one_of("tcp", "http", "https", "grpc", "grpcs"), default="http")
_HEALTHY = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308]
_FAILURES: Fields = {"tcp_failures": _COUNT, "timeouts": _COUNT, "http_failures": _COUNT}


def _needs(field: str, value: str, other: str) -> tuple[tuple[str, ...], Rule]:
    def rule(row: Row) -> str | None:
        if row[field] != value or row[other] is not None:
            return None
        return f"failed conditional validation given value of field '{field}': {other}: required field missing"

    return (field, other), rule


def _fallback_fits(row: Row) -> str | None:
    """Hashing on nothing or a cookie has no fallback; else it is another thing (entities/upstreams.lua)."""
    on, fallback = row["hash_on"], row["hash_fallback"]
    wrong = fallback != "none" if on in ("none", "cookie") else on == fallback and on in ("consumer", "ip", "path")
    return "failed conditional validation given value of field 'hash_on'" if wrong else None


_UPSTREAMS = Entity(
    name="upstreams",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": text(rules.upstream_name, required=True),
        "algorithm": text(
            rules.one_of("consistent-hashing", "least-connections", "round-robin", "latency"),
            default="round-robin",
        ),
        "hash_on": text(rules.one_of(*_HASHES), default="none"),
        "hash_fallback": text(rules.one_of(*_HASHES), default="none"),
        "hash_on_header": text(rules.header_name),
        "hash_fallback_header": text(rules.header_name),
        "hash_on_cookie": text(),
        "hash_on_cookie_path": text(rules.path, default="/"),
        "hash_on_query_arg": text(),
        "hash_fallback_query_arg": text(),
        "hash_on_uri_capture": text(),
        "hash_fallback_uri_capture": text(),
        "slots": integer(10, 65536, 10000),
        "healthchecks": record(
            active=record(
                type=_CHECK_TYPE,
                timeout=replace(_SECONDS, default=1),
                concurrency=integer(1, 2**31, 10),
                http_path=text(rules.path, default="/"),
                https_sni=text(rules.server_name),
                https_verify_certificate=replace(flag(default=True), required=False),
                headers=Field(kind="map", keys=(rules.header_name,), elements=list_of(text())),
                healthy=record(interval=_SECONDS, http_statuses=list_of(_STATUSES, [200, 302]), successes=_COUNT),
                unhealthy=record(
                    interval=_SECONDS,
                    http_statuses=list_of(_STATUSES, [429, 404, 500, 501, 502, 503, 504, 505]),
                    **_FAILURES,
                ),
            ),
            passive=record(
                type=_CHECK_TYPE,
                healthy=record(http_statuses=list_of(_STATUSES, [*_HEALTHY]), successes=_COUNT),
                unhealthy=record(http_statuses=list_of(_STATUSES, [429, 500, 503]), **_FAILURES),
            ),
            threshold=Field(kind="number", checks=(rules.between(0, 100),), default=0),
        ),
        "host_header": text(rules.host),
        "client_certificate": foreign("certificates"),
        "use_srv_name": replace(flag(default=False), required=False),
    },
    rules=(
        *(_needs("hash_on", kind, f"hash_on_{kind}") for kind in ("header", "cookie", "query_arg", "uri_capture")),
        *(
            _needs("hash_fallback", kind, f"hash_fallback_{kind}")
            for kind in ("header", "query_arg", "uri_capture")
        ),
        (("hash_on", "hash_fallback"), _fallback_fits),
    ),
)


def _as_kept(body: Row) -> Row:
    """A target as Kong keeps it: port 8000 where none is given, IPv6 in full (kong/tools/ip.lua, format_host)."""
    target = body.get("target")
    address = rules.split_address(target) if isinstance(target, str) else None
    if address is None:
        return body
    host, port, kind = address
    if kind == "ipv6":
        host = f"[{ipaddress.ip_address(host).exploded}]"
    return body | {"target": f"{host}:{8000 if port is None else port}"}


_TARGETS = Entity(
    name="targets",
    key="target",
    listed=False,
    unique=(("target", "upstream"),),
    expand=_as_kept,
    fields={
        "id": _ID,
        "created_at": _NOW_MS,
        "updated_at": _NOW_MS,
        "tags": _TAGS,
        "target": text(rules.target, required=True),
        "weight": integer(0, 65535, 100),
        "upstream": foreign("upstreams", cascade=True, required=True),
    },
)

# consumers, their keys, certificates

_CONSUMERS = Entity(
    name="consumers",
    key="username",
    unique=(("username",), ("custom_id",)),
    fields=_STAMPED | {"username": text(), "custom_id": text()},
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
        "ttl": integer(0, 100_000_000),
        "consumer": foreign("consumers", cascade=True, required=True),
    },
)


def _pair_matches(row: Row) -> str | None:
    return None if rules.matching_pair(row["cert"], row["key"]) else "certificate does not match key"


_CERTIFICATES = Entity(
    name="certificates",
    fields=_STAMPED
    | {
        "cert": text(rules.certificate, required=True),
        "key": text(rules.private_key, required=True),
        "cert_alt": text(rules.certificate),
        "key_alt": text(rules.private_key),
        "snis": Field(kind="set", elements=text(rules.server_name), default=[], names=("snis", "certificate")),
    },
    rules=((("cert", "key"), _pair_matches),),
)
_SNIS = Entity(
    name="snis",
    key="name",
    unique=(("name",),),
    fields=_STAMPED
    | {
        "name": text(rules.server_name, required=True),
        "certificate": foreign("certificates", cascade=True, required=True),
    },
)

# plugins


_PROTOCOLS_OF_PLUGIN = Field(
    kind="set",
    elements=text(rules.one_of(*PROTOCOLS)),
    default=["grpc", "grpcs", "http", "https"],
    required=True,
)


def _enabled(name: str) -> str | None:
    if name in CONFIGS:
        return None
    return f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"


def _limits_fit(row: Row) -> str | None:
    """kong/plugins/rate-limiting/schema.lua"""
    if row["name"] != "rate-limiting":
        return None
    config = row["config"]
    if fault := _at_least_one(*(f"config.{period}" for period in PERIODS))[1](row):
        return fault
    given = [(period, config[period]) for period in PERIODS if config[period] is not None]
    for (shorter, fewer), (longer, more) in pairwise(given):
        if more < fewer:
            return f"The limit for {longer}({more:.1f}) cannot be lower than the limit for {shorter}({fewer:.1f})"
    if config["sync_rate"] != -1 and config["policy"] != "redis":
        return "sync_rate can only be used with the redis policy"
    return None


_PLUGINS = Entity(
    name="plugins",
    key="instance_name",
    unique=(("name", "service", "route", "consumer"), ("instance_name",)),
    expand=nest_redis,
    present=flatten_redis,
    fields=_STAMPED
    | {
        "name": text(_enabled, required=True),
        "instance_name": _NAME,
        "config": Field(kind="record", required=True),
        "enabled": flag(default=True),
        "protocols": _PROTOCOLS_OF_PLUGIN,
        "service": foreign("services", cascade=True),
        "route": foreign("routes", cascade=True),
        "consumer": foreign("consumers", cascade=True),
    },
    rules=((("name", "config"), _limits_fit),),
)


def fields_of(entity: Entity, body: Row) -> Fields:
    """The entity's fields; a plugin's config is the record of the plugin it names, and so are its protocols."""
    if entity is not _PLUGINS:
        return entity.fields
    name = body.get("name") or ""
    config = Field(kind="record", fields=CONFIGS.get(name), required=True, default={})
    protocols = _PROTOCOLS_OF_PLUGIN
    if name in PROTOCOLS_OF:
        protocols = replace(protocols, default=PROTOCOLS_OF[name])
    return {**entity.fields, "config": config, "protocols": protocols}


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
