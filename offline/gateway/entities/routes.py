"""Routes: kong/db/schema/entities/routes.lua and routes_subschemas.lua."""

from dataclasses import replace

from .. import checks, paths
from ..checks import Check
from ..schema import Field, Row, flag, foreign, integer, list_of, record, set_of, text
from .entity import NAME, PROTOCOLS, STAMPED, Entity, Error, Fields, at_least_one, on_record

_FAMILIES = (("http", "https"), ("tcp", "tls", "udp"), ("tls_passthrough",), ("grpc", "grpcs"))
_ONE_REQUIRED = (
    ("https", ("methods", "hosts", "headers", "paths", "snis")),
    ("http", ("methods", "hosts", "headers", "paths")),
    ("grpcs", ("hosts", "headers", "paths", "snis")),
    ("grpc", ("hosts", "headers", "paths")),
)
"""Of which fields a route of a protocol must set one; the first protocol that the route has counts."""


def _of_one_family(protocols: list[str]) -> str | None:
    used = [family for family in _FAMILIES if set(family) & set(protocols)]
    if len(used) < 2:
        return None
    families = ", ".join("(" + ", ".join(f"'{name}'" for name in family) + ")" for family in used)
    return f"these sets are mutually exclusive: {families}"


def _matches_something(row: Row) -> str | None:
    protocols = row["protocols"] or ()
    for protocol, names in _ONE_REQUIRED:
        if protocol in protocols:
            listed = ", ".join(f"'{name}'" for name in names)
            found = any(row[name] for name in names)
            return None if found else f"must set one of {listed} when 'protocols' is '{protocol}'"
    if "tls_passthrough" in protocols:
        return None if row["snis"] else "must set snis when 'protocols' is 'tls_passthrough'"
    if any(row[name] for name in ("sources", "destinations", "snis")):
        return None
    return "must set one of 'sources', 'destinations', 'snis' when 'protocols' is 'tcp', 'tls' or 'udp'"


def _snis_need_tls(row: Row) -> Error | None:
    if not row["snis"] or set(row["protocols"] or ()) & {"grpcs", "https", "tls", "tls_passthrough"}:
        return None
    error = "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"
    return error, {"snis": "length must be 0"}


def _vary_by_protocol(row: Row) -> Fields:
    """Return the fields that differ for gRPC and for streams (entities/routes_subschemas.lua)."""
    given = row.get("protocols")
    first = given[0] if isinstance(given, list) and given else "http"
    if first in ("http", "https"):
        return _refuse("'http' or 'https'", "sources", "destinations")
    if first in ("grpc", "grpcs"):
        families = "'grpc' or 'grpcs'"
        error = f"cannot set 'strip_path' when 'protocols' is {families}"
        strip_path = replace(flag(default=False), checks=(lambda value: error if value else None,))
        return _refuse(families, "methods", "sources", "destinations") | {"strip_path": strip_path}
    return _refuse("'tcp', 'tls', 'tls_passthrough' or 'udp'", "methods", "hosts", "paths", "headers")


def _refuse(protocols: str, *names: str) -> Fields:
    def check(name: str) -> Check:
        return lambda _value: f"cannot set '{name}' when 'protocols' is {protocols}"

    return {name: replace(_MATCHED[name], checks=(check(name),)) for name in names}


_MATCHERS = ("protocols", "methods", "hosts", "headers", "paths", "snis", "sources", "destinations")
_ADDRESSES = set_of(
    record(on_record(at_least_one("ip", "port")), ip=text(checks.address_or_network), port=integer(0, 65535))
)
_MATCHED: Fields = {
    "methods": set_of(text(checks.http_method)),
    "hosts": list_of(text(checks.route_host)),
    "paths": list_of(text(paths.route_path)),
    "headers": Field(kind="map", keys=(checks.header_name, checks.no_host_header), elements=list_of(text())),
    "sources": _ADDRESSES,
    "destinations": _ADDRESSES,
}
ROUTES = Entity(
    name="routes",
    key="name",
    unique=(("name",),),
    vary=_vary_by_protocol,
    fields=STAMPED
    | _MATCHED
    | {
        "name": NAME,
        "protocols": Field(
            kind="set",
            elements=text(checks.one_of(*PROTOCOLS)),
            default=["http", "https"],
            checks=(checks.not_empty, _of_one_family),
            required=True,
        ),
        "https_redirect_status_code": Field(
            kind="integer", checks=(checks.one_of(426, 301, 302, 307, 308),), default=426, required=True
        ),
        "regex_priority": Field(kind="integer", default=0),
        "strip_path": flag(default=True),
        "path_handling": text(checks.one_of("v0", "v1"), default="v0"),
        "preserve_host": flag(default=False),
        "request_buffering": flag(default=True),
        "response_buffering": flag(default=True),
        "snis": set_of(text(checks.server_name)),
        "service": foreign("services"),
    },
    rules=((_MATCHERS, _matches_something), (("snis", "protocols"), _snis_need_tls)),
)
