"""Certificates and their server names: kong/db/schema/entities/certificates.lua and snis.lua."""

from .. import checks
from ..schema import Field, Row, foreign, text
from .entity import STAMPED, Entity


def _is_pair(row: Row) -> str | None:
    return None if checks.matching_pair(row["cert"], row["key"]) else "certificate does not match key"


_SERVER_NAME = text(checks.server_name)
CERTIFICATES = Entity(
    name="certificates",
    fields=STAMPED
    | {
        "cert": text(checks.certificate, required=True),
        "key": text(checks.private_key, required=True),
        "cert_alt": text(checks.certificate),
        "key_alt": text(checks.private_key),
        "snis": Field(kind="set", elements=_SERVER_NAME, default=[], names=("snis", "certificate")),
    },
    rules=((("cert", "key"), _is_pair),),
)
SNIS = Entity(
    name="snis",
    key="name",
    unique=(("name",),),
    fields=STAMPED
    | {
        "name": text(checks.server_name, required=True),
        "certificate": foreign("certificates", cascade=True, required=True),
    },
)
