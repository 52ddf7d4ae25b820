"""Routes: kong/db/schema/entities/routes.lua and routes_subschemas.lua."""

from .. import rules
from ..fields import Field, Row, flag, foreign, integer, list_of, record, set_of, text
from .entity import NAME, PROTOCOLS, STAMPED, Entity

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
ROUTES = Entity(
    name="routes",
    key="name",
    unique=(("name",),),
    fields=STAMPED
    | {
        "name": NAME,
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
