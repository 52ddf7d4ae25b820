"""Routes: kong/db/schema/entities/routes.lua and routes_subschemas.lua."""

import re
from dataclasses import replace

from .. import paths, rules
from ..fields import Field, Row, flag, foreign, integer, list_of, record, set_of, text
from ..rules import Check
from .entity import NAME, PROTOCOLS, STAMPED, Entity, Fault, Fields, at_least_one, whole

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
    if "tls_passthrough" in protocols:
        return None if row["snis"] else "must set snis when 'protocols' is 'tls_passthrough'"
    if any(row[name] for name in ("sources", "destinations", "snis")):
        return None
    return "must set one of 'sources', 'destinations', 'snis' when 'protocols' is 'tcp', 'tls' or 'udp'"


def _snis_need_tls(row: Row) -> Fault | None:
    if not row["snis"] or set(row["protocols"] or ()) & {"grpcs", "https", "tls", "tls_passthrough"}:
        return None
    fault = "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"
    return fault, {"snis": "length must be 0"}


def _router_takes(row: Row) -> str | None:
    """Whether the router can be built of it (entities/routes.lua, validate_route)."""
    headers = (row["headers"] or {}).values()
    regexes = [path[1:] for path in row["paths"] or () if path.startswith("~")]
    regexes += [value[2:] for values in headers for value in values if value.startswith("~*")]
    faults = [fault for regex in regexes if (fault := _regex_fault(regex))]
    faults += ["expected term" for values in headers if not values]
    return f"Router Expression failed validation: {faults[0]}" if faults else None


def _regex_fault(text: str) -> str | None:
    try:
        paths.regex(text)
    except re.error as error:
        return f"regex parse error: {error}"
    return paths.unknown_to_router(text)


def _of_protocols(row: Row) -> Fields:
    """The fields that are others for gRPC and for streams (entities/routes_subschemas.lua)."""
    given = row.get("protocols")
    first = given[0] if isinstance(given, list) and given else "http"
    if first in ("http", "https"):
        return _cannot_set("'http' or 'https'", "sources", "destinations")
    if first in ("grpc", "grpcs"):
        families = "'grpc' or 'grpcs'"
        strips = f"cannot set 'strip_path' when 'protocols' is {families}"
        strip_path = replace(flag(default=False), checks=(lambda value: strips if value else None,))
        return _cannot_set(families, "methods", "sources", "destinations") | {"strip_path": strip_path}
    return _cannot_set("'tcp', 'tls', 'tls_passthrough' or 'udp'", "methods", "hosts", "paths", "headers")


def _cannot_set(protocols: str, *names: str) -> Fields:
    def refusal(name: str) -> Check:
        return lambda _value: f"cannot set '{name}' when 'protocols' is {protocols}"

    return {name: replace(_MATCHED[name], checks=(refusal(name),)) for name in names}


_MATCHERS = ("protocols", "methods", "hosts", "headers", "paths", "snis", "sources", "destinations")
_ADDRESSES = set_of(
    record(whole(at_least_one("ip", "port")), ip=text(rules.address_or_network), port=integer(0, 65535))
)
_MATCHED: Fields = {
    "methods": set_of(text(rules.http_method)),
    "hosts": list_of(text(rules.route_host)),
    "paths": list_of(text(paths.route_path)),
    "headers": Field(kind="map", keys=(rules.header_name, rules.no_host_header), elements=list_of(text())),
    "sources": _ADDRESSES,
    "destinations": _ADDRESSES,
}
ROUTES = Entity(
    name="routes",
    key="name",
    unique=(("name",),),
    vary=_of_protocols,
    fields=STAMPED
    | _MATCHED
    | {
        "name": NAME,
        "protocols": Field(
            kind="set",
            elements=text(rules.one_of(*PROTOCOLS)),
            default=["http", "https"],
            checks=(rules.not_empty, _one_family),
            required=True,
        ),
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
        "service": foreign("services"),
    },
    rules=(
        (_MATCHERS, _matches_something),
        (("snis", "protocols"), _snis_need_tls),
        (("paths", "headers"), _router_takes),
    ),
)
