"""Services: kong/db/schema/entities/services.lua."""

import re

from .. import paths, rules
from ..errors import schema_violation
from ..fields import Field, Row, flag, foreign, integer, list_of, text
from .entity import NAME, PROTOCOLS, STAMPED, Entity, conditional

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
    if protocol := parts["scheme"] or {"80": "http", "443": "https"}.get(port):
        meant["protocol"] = protocol
    if port:
        meant["port"] = int(port) if port.isdigit() else port
    elif parts["scheme"] in ("http", "https"):
        meant["port"] = {"http": 80, "https": 443}[parts["scheme"]]
    return {name: value for name, value in body.items() if name != "url"} | meant


_TIMEOUT = integer(1, 2**31 - 2, 60000)
SERVICES = Entity(
    name="services",
    key="name",
    unique=(("name",),),
    expand=_expand_url,
    fields=STAMPED
    | {
        "name": NAME,
        "retries": integer(0, 32767, 5),
        "protocol": text(rules.one_of(*PROTOCOLS), required=True, default="http"),
        "host": text(rules.host, required=True),
        "port": integer(0, 65535, 80, required=True),
        "path": text(paths.path),
        "connect_timeout": _TIMEOUT,
        "write_timeout": _TIMEOUT,
        "read_timeout": _TIMEOUT,
        "client_certificate": foreign("certificates"),
        "tls_verify": Field(kind="boolean"),
        "tls_verify_depth": integer(0, 64),
        "ca_certificates": list_of(text(rules.uuid_text)),
        "enabled": flag(default=True),
    },
    rules=(
        conditional("protocol", ("tcp", "tls", "udp", "grpc", "grpcs"), "path", rules.unset),
        *(
            conditional("protocol", {*PROTOCOLS} - {"https", "tls"}, name, rules.unset)
            for name in ("client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates")
        ),
    ),
)
