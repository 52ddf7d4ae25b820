"""Services: kong/db/schema/entities/services.lua."""

import re

from .. import checks, paths
from ..errors import schema_violation
from ..schema import Field, Row, flag, foreign, integer, list_of, text
from .entity import NAME, PROTOCOLS, STAMPED, Entity, conditional

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?"
    r"(?://(?:[^@/?#]*@)?(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:/?#]*))(?::(?P<port>[^/?#]*))?)?"
    r"(?P<path>[^?#]*).*",
    re.DOTALL,
)


def _expand_url(body: Row) -> Row:
    """Replace `url` by protocol, host, port and path, over which it takes precedence (entities/services.lua)."""
    if "url" not in body:
        return body
    if not isinstance(body["url"], str):
        raise schema_violation({"url": "expected a string"})
    parts = _URL.fullmatch(body["url"])
    if parts is None:
        raise schema_violation({"url": "could not parse url"})
    port = parts["port"]
    expanded: Row = {"host": parts["v6"] or parts["host"] or None, "path": parts["path"] or None}
    if protocol := parts["scheme"] or {"80": "http", "443": "https"}.get(port):
        expanded["protocol"] = protocol
    if port:
        expanded["port"] = int(port) if port.isdigit() else port
    elif parts["scheme"] in ("http", "https"):
        expanded["port"] = {"http": 80, "https": 443}[parts["scheme"]]
    return {name: value for name, value in body.items() if name != "url"} | expanded


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
        "protocol": text(checks.one_of(*PROTOCOLS), required=True, default="http"),
        "host": text(checks.host, required=True),
        "port": integer(0, 65535, 80, required=True),
        "path": text(paths.path),
        "connect_timeout": _TIMEOUT,
        "write_timeout": _TIMEOUT,
        "read_timeout": _TIMEOUT,
        "client_certificate": foreign("certificates"),
        "tls_verify": Field(kind="boolean"),
        "tls_verify_depth": integer(0, 64),
        "ca_certificates": list_of(text(checks.uuid_text)),
        "enabled": flag(default=True),
    },
    rules=(
        conditional("protocol", ("tcp", "tls", "udp", "grpc", "grpcs"), "path", checks.unset),
        *(
            conditional("protocol", {*PROTOCOLS} - {"https", "tls"}, name, checks.unset)
            for name in ("client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates")
        ),
    ),
)
