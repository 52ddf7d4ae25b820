"""What Kong's entities are made of: every managed field with its default, its rule, and its type.

Field names and defaults are Kong's own: Kong 3.x, `kong/db/schema/entities/*.lua`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Annotated, Any, get_args

from pulumi import Input

from infra.kong.rules import (
    METHOD,
    PROTOCOLS,
    ROUTE_HOST,
    WITHOUT_PATH,
    Rule,
    algorithms,
    between,
    boolean,
    each,
    hash_inputs,
    is_name,
    is_path,
    is_tag,
    is_target,
    mapping,
    matching,
    milliseconds,
    one_of,
    route_path,
    service_host,
    text,
    upstream_name,
)
from infra.plugin import UNKNOWN, Failure, Props

HEALTHCHECKS: Props = {
    "active": {
        "type": "http",
        "timeout": 1,
        "concurrency": 10,
        "http_path": "/",
        "https_verify_certificate": True,
        "https_sni": None,
        "headers": None,
        "healthy": {"interval": 0, "http_statuses": [200, 302], "successes": 0},
        "unhealthy": {
            "interval": 0,
            "http_statuses": [429, 404, 500, 501, 502, 503, 504, 505],
            "tcp_failures": 0,
            "timeouts": 0,
            "http_failures": 0,
        },
    },
    "passive": {
        "type": "http",
        "healthy": {"http_statuses": [*range(200, 209), 226, *range(300, 309)], "successes": 0},
        "unhealthy": {
            "http_statuses": [429, 500, 503],
            "tcp_failures": 0,
            "timeouts": 0,
            "http_failures": 0,
        },
    },
    "threshold": 0,
}
"""Kong's defaults; a given record is laid over them."""


def is_healthchecks(value: object) -> str | None:
    """A record of the shape of `HEALTHCHECKS`."""
    return _unlike(HEALTHCHECKS, value, "")


def _unlike(shape: object, value: object, where: str) -> str | None:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{where or 'it'} must be an object"
        for key, item in value.items():
            if key not in shape:
                return f"{where}{key}: there is no such field; there are {', '.join(shape)}"
            if wrong := _unlike(shape[key], item, f"{where}{key}."):
                return wrong
        return None
    if shape is None or value == UNKNOWN or isinstance(value, type(shape)):
        return None
    if isinstance(shape, int) and isinstance(value, int | float) and not isinstance(shape, bool):
        return None
    return f"{where.rstrip('.')} must be {'a list' if isinstance(shape, list) else f'like {shape!r}'}"


def of_shape(shape: object, value: object) -> Any:  # noqa: ANN401 - JSON
    """A live record with the fields of a shape alone: other versions of Kong have more, or fewer."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return {key: of_shape(default, value.get(key, default)) for key, default in shape.items()}
    return value


def laid_over(shape: object, value: object) -> Any:  # noqa: ANN401 - JSON
    """A record with the defaults of its shape where it says nothing."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return shape | {key: laid_over(shape.get(key), item) for key, item in value.items()}
    return value


Text = Input[str] | None
Number = Input[int] | None
Flag = Input[bool] | None
Texts = Input[Sequence[Input[str]]] | None
Tags = Annotated[Texts, each(is_tag)]


@dataclass(frozen=True, kw_only=True)
class KongServiceArgs:
    """An upstream service: where requests go. Times in milliseconds."""

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
class KongRouteArgs:
    """Which requests go to a service, given by its id."""

    service: Annotated[Text, text] = None
    name: Annotated[Text, is_name] = None
    protocols: Annotated[Texts, each(one_of(*PROTOCOLS))] = ("http", "https")
    methods: Annotated[Texts, each(matching(METHOD, "an HTTP method in capitals"))] = None
    hosts: Annotated[Texts, each(matching(ROUTE_HOST, "a host name, perhaps with '*' as first or last label"))] = (
        None
    )
    paths: Annotated[Texts, each(route_path)] = None
    headers: Annotated[Input[Mapping[str, Input[Sequence[str]]]] | None, mapping] = None
    snis: Annotated[Texts, each(text)] = None
    sources: Annotated[Input[Sequence[Mapping[str, Any]]] | None, each(mapping)] = None
    destinations: Annotated[Input[Sequence[Mapping[str, Any]]] | None, each(mapping)] = None
    https_redirect_status_code: Annotated[Number, one_of(426, 301, 302, 307, 308)] = 426
    regex_priority: Annotated[Number, between(-(2**31), 2**31 - 1)] = 0
    strip_path: Annotated[Flag, boolean] = True
    path_handling: Annotated[Text, one_of("v0", "v1")] = "v0"
    preserve_host: Annotated[Flag, boolean] = False
    request_buffering: Annotated[Flag, boolean] = True
    response_buffering: Annotated[Flag, boolean] = True
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongUpstreamArgs:
    """A name that a service can use as its host, balanced over the upstream's targets."""

    name: Annotated[Input[str], upstream_name]
    algorithm: Annotated[Text, algorithms] = "round-robin"
    slots: Annotated[Number, between(10, 65536)] = 10000
    hash_on: Annotated[Text, hash_inputs] = "none"
    hash_on_header: Annotated[Text, text] = None
    hash_on_cookie: Annotated[Text, text] = None
    hash_on_cookie_path: Annotated[Text, is_path] = "/"
    hash_on_query_arg: Annotated[Text, text] = None
    hash_on_uri_capture: Annotated[Text, text] = None
    hash_fallback: Annotated[Text, hash_inputs] = "none"
    hash_fallback_header: Annotated[Text, text] = None
    hash_fallback_query_arg: Annotated[Text, text] = None
    hash_fallback_uri_capture: Annotated[Text, text] = None
    healthchecks: Annotated[Input[Mapping[str, Any]] | None, is_healthchecks] = None
    host_header: Annotated[Text, text] = None
    client_certificate: Annotated[Text, text] = None
    use_srv_name: Annotated[Flag, boolean] = False
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongTargetArgs:
    """One address that an upstream, given by its id, balances over."""

    upstream: Annotated[Input[str], text]
    target: Annotated[Input[str], is_target]
    weight: Annotated[Number, between(0, 65535)] = 100
    drain_seconds: Annotated[Number, between(0, 3600)] = 0
    """How long to wait after its removal, until the gateway has seen it and its last requests have ended."""
    tags: Tags = None


def _need_a_matcher(route: Props) -> list[Failure]:
    matchers = ["methods", "hosts", "headers", "paths"]
    if "https" in (route["protocols"] or []):
        matchers.append("snis")
    if any(route[matcher] for matcher in matchers):
        return []
    return [Failure("hosts", f"a route must set one of {', '.join(matchers)}: without any it would match all")]


def _path_needs_http(service: Props) -> list[Failure]:
    if service["path"] and service["protocol"] in WITHOUT_PATH:
        return [Failure("path", f"must not be set with protocol {service['protocol']}")]
    return []


@dataclass(frozen=True)
class Entity:
    """One of Kong's entities: where it lives in the Admin API and what it is made of."""

    collection: str
    args: type
    references: Mapping[str, str] | None = None  # field -> collection it points into
    local: frozenset[str] = frozenset()  # fields that Kong doesn't know
    rule: Callable[[Props], list[Failure]] = lambda _: []

    @cached_property
    def fields(self) -> dict[str, tuple[Any, Rule]]:
        """Default and rule of each field, by name; `MISSING` is the default of what must be given."""
        return {
            field.name: (
                list(field.default) if isinstance(field.default, tuple) else field.default,
                get_args(field.type)[1],  # what `Annotated` adds to the type
            )
            for field in fields(self.args)
        }

    def complete(self, inputs: Props) -> tuple[Props, list[Failure]]:
        """The inputs with every default filled in, and all that is wrong with them."""
        known = self.fields
        failures = [
            Failure(key, f"{self.collection} have no such field; there are {', '.join(known)}")
            for key in sorted(inputs.keys() - known)
        ]
        filled: Props = {}
        for key, (default, rule) in known.items():
            value = inputs.get(key)
            if value is None:
                if default is MISSING:
                    failures.append(Failure(key, "is missing"))
                value = None if default is MISSING else default
            elif value != UNKNOWN and (reason := rule(value)):
                failures.append(Failure(key, reason))
            filled[key] = value
        if "healthchecks" in filled and filled["healthchecks"] != UNKNOWN:
            filled["healthchecks"] = laid_over(HEALTHCHECKS, filled["healthchecks"] or {})
        return filled, failures or self.rule(filled)


SERVICE = Entity("services", KongServiceArgs, {"client_certificate": "certificates"}, rule=_path_needs_http)
ROUTE = Entity("routes", KongRouteArgs, {"service": "services"}, rule=_need_a_matcher)
UPSTREAM = Entity("upstreams", KongUpstreamArgs, {"client_certificate": "certificates"})
TARGET = Entity("targets", KongTargetArgs, {"upstream": "upstreams"}, local=frozenset({"drain_seconds"}))
