"""Services, routes, upstreams and targets: every managed field with its type, its validator and its default.

Names and defaults are those of Kong 3.x, `kong/db/schema/entities/*.lua`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from infra.kong.schema.entity import Entity, Flag, Input, Number, Tags, Text, Texts
from infra.kong.schema.healthchecks import HEALTHCHECKS, check_healthchecks, merge_defaults
from infra.kong.schema.validators import (
    METHOD,
    PROTOCOLS,
    WITHOUT_PATH,
    algorithms,
    between,
    boolean,
    each,
    hash_source,
    is_name,
    is_path,
    is_target,
    mapping,
    matching,
    milliseconds,
    normalize_target,
    one_of,
    route_host,
    route_path,
    service_host,
    text,
    upstream_name,
)
from infra.props import UNKNOWN, Failure, Props, is_known


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """The service that requests are forwarded to. Timeouts are in milliseconds."""

    host: Annotated[Input[str], service_host]
    name: Annotated[Text, is_name] = None
    protocol: Annotated[Text, one_of(*PROTOCOLS)] = "http"
    port: Annotated[Number, between(0, 65535)] = 80
    path: Annotated[Text, is_path] = None
    retries: Annotated[Number, between(0, 32767)] = 5
    connect_timeout: Annotated[Number, milliseconds] = 60000
    write_timeout: Annotated[Number, milliseconds] = 60000
    read_timeout: Annotated[Number, milliseconds] = 60000
    enabled: Annotated[Flag, boolean] = True
    client_certificate: Annotated[Text, text] = None
    tls_verify: Annotated[Flag, boolean] = None
    tls_verify_depth: Annotated[Number, between(0, 64)] = None
    ca_certificates: Annotated[Texts, each(text)] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class RouteArgs:
    """Rules that match requests and forward them to a service, given by its id."""

    service: Annotated[Text, text] = None
    name: Annotated[Text, is_name] = None
    protocols: Annotated[Texts, each(one_of(*PROTOCOLS), unique=True)] = ("http", "https")
    methods: Annotated[Texts, each(matching(METHOD, "an HTTP method in upper case"), unique=True)] = None
    hosts: Annotated[Texts, each(route_host)] = None
    paths: Annotated[Texts, each(route_path)] = None
    headers: Annotated[Input[Mapping[str, Input[Sequence[str]]]] | None, mapping] = None
    snis: Annotated[Texts, each(text, unique=True)] = None
    sources: Annotated[Input[Sequence[Mapping[str, Any]]] | None, each(mapping)] = None
    """Each has an `ip`, a `port`, or both, as `destinations` do."""
    destinations: Annotated[Input[Sequence[Mapping[str, Any]]] | None, each(mapping)] = None
    https_redirect_status_code: Annotated[Number, one_of(426, 301, 302, 307, 308)] = 426
    regex_priority: Annotated[Number, between(-(2**31), 2**31 - 1)] = 0
    strip_path: Annotated[Flag, boolean] = None
    """True by default, and false for gRPC, whose paths are never stripped."""
    path_handling: Annotated[Text, one_of("v0", "v1")] = "v0"
    preserve_host: Annotated[Flag, boolean] = False
    request_buffering: Annotated[Flag, boolean] = True
    response_buffering: Annotated[Flag, boolean] = True
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class UpstreamArgs:
    """A virtual host name that a service can use as its host, load-balanced over the upstream's targets."""

    name: Annotated[Input[str], upstream_name]
    algorithm: Annotated[Text, algorithms] = "round-robin"
    slots: Annotated[Number, between(10, 65536)] = 10000
    hash_on: Annotated[Text, hash_source] = "none"
    hash_on_header: Annotated[Text, text] = None
    hash_on_cookie: Annotated[Text, text] = None
    hash_on_cookie_path: Annotated[Text, is_path] = "/"
    hash_on_query_arg: Annotated[Text, text] = None
    hash_on_uri_capture: Annotated[Text, text] = None
    hash_fallback: Annotated[Text, hash_source] = "none"
    hash_fallback_header: Annotated[Text, text] = None
    hash_fallback_query_arg: Annotated[Text, text] = None
    hash_fallback_uri_capture: Annotated[Text, text] = None
    healthchecks: Annotated[Input[Mapping[str, Any]] | None, check_healthchecks] = None
    host_header: Annotated[Text, text] = None
    client_certificate: Annotated[Text, text] = None
    use_srv_name: Annotated[Flag, boolean] = False
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class TargetArgs:
    """One address behind an upstream, given by its id."""

    upstream: Annotated[Input[str], text]
    target: Annotated[Input[str], is_target]
    weight: Annotated[Number, between(0, 65535)] = 100
    drain_seconds: Annotated[Number, between(0, 3600)] = 0
    """How long to wait after its deletion, until Kong has noticed it and the last requests have ended."""
    tags: Tags = None


_MATCHERS: Mapping[str, tuple[str, ...]] = {
    "http": ("hosts", "paths", "methods", "headers"),
    "https": ("hosts", "paths", "methods", "headers", "snis"),
    "grpc": ("hosts", "paths", "headers"),
    "grpcs": ("hosts", "paths", "headers", "snis"),
    "tcp": ("sources", "destinations"),
    "tls": ("sources", "destinations", "snis"),
    "tls_passthrough": ("snis",),
    "udp": ("sources", "destinations"),
}
"""The fields that a route can match by: Kong 3.x, `kong/db/schema/entities/routes_subschemas.lua`."""


def _normalize_route(route: Props) -> tuple[Props, list[Failure]]:
    protocols = route["protocols"] or []
    if not is_known(protocols):
        return route, []
    if route["strip_path"] is None:
        route = route | {"strip_path": not {"grpc", "grpcs"}.issuperset(protocols)}
    for name in ("sources", "destinations"):  # Kong stores both fields of each, with null for the one left out
        if isinstance(route[name], list):
            route = route | {name: [_address(each) for each in route[name]]}
    matchers = list(dict.fromkeys(matcher for protocol in protocols for matcher in _MATCHERS.get(protocol, ())))
    if not matchers or any(route[matcher] for matcher in matchers):
        return route, []
    return route, [
        Failure(matchers[0], f"a route must set one of {', '.join(matchers)}, or it would match every request")
    ]


def _address(given: object) -> object:
    return {"ip": None, "port": None} | given if isinstance(given, dict) else given


def _normalize_target(target: Props) -> tuple[Props, list[Failure]]:
    return target if target["target"] == UNKNOWN else target | {"target": normalize_target(target["target"])}, []


def _check_path(service: Props) -> tuple[Props, list[Failure]]:
    if service["path"] and service["protocol"] in WITHOUT_PATH:
        return service, [Failure("path", f"must not be set with protocol {service['protocol']}")]
    return service, []


def _normalize_upstream(upstream: Props) -> tuple[Props, list[Failure]]:
    given = upstream["healthchecks"]
    if given != UNKNOWN:
        upstream = upstream | {"healthchecks": merge_defaults(HEALTHCHECKS, given or {})}
    # As Kong makes the two agree: `shorthand_fields` in kong/db/schema/entities/upstreams.lua.
    if upstream["algorithm"] in ("least-connections", "latency"):
        upstream = upstream | {"hash_on": "none"}
    elif is_known([upstream["algorithm"], upstream["hash_on"]]):
        by_hash = "round-robin" if upstream["hash_on"] == "none" else "consistent-hashing"
        upstream = upstream | {"algorithm": by_hash}
    return upstream, []


def _rename(key: str) -> str:
    return (
        f"run `pulumi config set {key} NAME` "
        "(each stack on one Kong needs its own hostname, serviceName, routeName and upstreamName)"
    )


RENAME_HOST = _rename("hostname")
"""The advice if another stack's route has the host."""

_CLIENT_CERTIFICATE = {"client_certificate": "certificates"}
SERVICE = Entity(
    "services",
    ServiceArgs,
    _CLIENT_CERTIFICATE,
    lookup_field="name",
    rename=_rename("serviceName"),
    schema="services",
    normalize=_check_path,
)
ROUTE = Entity(
    "routes",
    RouteArgs,
    {"service": "services"},
    lookup_field="name",
    rename=_rename("routeName"),
    schema="routes",
    normalize=_normalize_route,
)
UPSTREAM = Entity(
    "upstreams",
    UpstreamArgs,
    _CLIENT_CERTIFICATE,
    lookup_field="name",
    rename=_rename("upstreamName"),
    schema="upstreams",
    normalize=_normalize_upstream,
)
TARGET = Entity(
    "targets",
    TargetArgs,
    {"upstream": "upstreams"},
    parent="upstream",
    # A replacement exists before the old target is deleted, so the address is part of the id.
    identity=("upstream", "target"),
    local_fields=frozenset({"drain_seconds"}),
    lookup_field="target",
    schema="targets",
    normalize=_normalize_target,
)
