"""Upstreams and their targets: kong/db/schema/entities/upstreams.lua and targets.lua."""

from dataclasses import replace

from .. import checks, paths
from ..checks import Check
from ..schema import Field, Row, flag, foreign, integer, list_of, record, text
from .entity import ID, NOW_MS, STAMPED, TAGS, Entity, Fields, conditional, distinct

_STATUSES = integer(100, 999)

_HASHES = ("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
_SECONDS = Field(kind="number", checks=(checks.between(0, 65535),), default=0)
_COUNT = integer(0, 255, 0)
_CHECK_TYPE = text(checks.one_of("tcp", "http", "https", "grpc", "grpcs"), default="http")
_HEALTHY = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308]
_FAILURES: Fields = {"tcp_failures": _COUNT, "timeouts": _COUNT, "http_failures": _COUNT}


def _align_hash_on(body: Row) -> Row:
    """Derive `algorithm` and `hash_on` from each other (shorthand_fields of entities/upstreams.lua)."""
    if body.get("algorithm") in ("least-connections", "latency"):
        return body | {"hash_on": "none"}
    if body.get("hash_on") is None:
        return body | ({"hash_on": "none"} if "hash_on" in body else {})
    return body | {"algorithm": "round-robin" if body["hash_on"] == "none" else "consistent-hashing"}


def _valid_fallback(hash_on: str) -> Check:
    """Check `hash_fallback`, which takes effect where the value to hash on is missing."""
    others = ["none"] if hash_on in ("none", "cookie") else [kind for kind in _HASHES if kind != hash_on]
    return lambda value: value and checks.one_of(*others)(value)


_HASHED_BY_NAME = ("header", "query_arg", "uri_capture")


UPSTREAMS = Entity(
    name="upstreams",
    key="name",
    unique=(("name",),),
    fields=STAMPED
    | {
        "name": text(checks.upstream_name, required=True),
        "algorithm": text(
            checks.one_of("consistent-hashing", "least-connections", "round-robin", "latency"),
            default="round-robin",
        ),
        "hash_on": text(checks.one_of(*_HASHES), default="none"),
        "hash_fallback": text(checks.one_of(*_HASHES), required=True, default="none"),
        "hash_on_header": text(checks.header_name),
        "hash_fallback_header": text(checks.header_name),
        "hash_on_cookie": text(checks.token),
        "hash_on_cookie_path": text(paths.path, default="/"),
        "hash_on_query_arg": text(),
        "hash_fallback_query_arg": text(),
        "hash_on_uri_capture": text(),
        "hash_fallback_uri_capture": text(),
        "slots": integer(10, 65536, 10000, required=True),
        "healthchecks": record(
            active=record(
                type=_CHECK_TYPE,
                timeout=replace(_SECONDS, default=1),
                concurrency=integer(1, 2**31, 10),
                http_path=text(paths.path, default="/"),
                https_sni=text(checks.server_name),
                https_verify_certificate=flag(default=True),
                headers=Field(kind="map", keys=(checks.header_name,), elements=list_of(text())),
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
            threshold=Field(kind="number", checks=(checks.between(0, 100),), default=0),
        ),
        "host_header": text(checks.host_and_port),
        "client_certificate": foreign("certificates"),
        "use_srv_name": replace(flag(default=False), required=False),
    },
    expand=_align_hash_on,
    rules=(
        *(
            conditional(field, (kind,), f"{field}_{kind}", checks.required)
            for field in ("hash_on", "hash_fallback")
            for kind in _HASHED_BY_NAME
        ),
        *(
            conditional(field, ("cookie",), "hash_on_cookie", checks.required)
            for field in ("hash_on", "hash_fallback")
        ),
        *(
            conditional("hash_on", (kind,), "hash_fallback", _valid_fallback(kind))
            for kind in ("none", "cookie", "consumer", "ip", "path")
        ),
        *(distinct(f"hash_on_{kind}", f"hash_fallback_{kind}") for kind in _HASHED_BY_NAME),
    ),
)


def _normalize_target(body: Row) -> Row:
    """Return a target as Kong stores it: with a port, and IPv6 in full (kong/tools/ip.lua, format_host)."""
    target = body.get("target")
    address = checks.split_address(target) if isinstance(target, str) else None
    if address is None:
        return body
    host, port, kind = address
    return body | {"target": f"{f'[{host}]' if kind == 'ipv6' else host}:{8000 if port is None else port}"}


TARGETS = Entity(
    name="targets",
    key="target",
    is_listed=False,
    unique=(("target", "upstream"),),
    expand=_normalize_target,
    fields={
        "id": ID,
        "created_at": NOW_MS,
        "updated_at": NOW_MS,
        "tags": TAGS,
        "target": text(checks.target, required=True),
        "weight": integer(0, 65535, 100, required=True),
        "upstream": foreign("upstreams", cascade=True, required=True),
    },
)
