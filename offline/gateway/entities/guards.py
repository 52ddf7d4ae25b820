"""Consumers with their keys and groups, and certificates with their host names."""

import secrets

from .. import rules
from ..fields import Field, Row, foreign, integer, text
from .entity import ID, NOW, STAMPED, TAGS, Entity, at_least_one

CONSUMERS = Entity(
    name="consumers",
    key="username",
    unique=(("username",), ("custom_id",)),
    fields=STAMPED | {"username": text(), "custom_id": text()},
    rules=(at_least_one("custom_id", "username"),),
)
KEYS = Entity(
    name="keyauth_credentials",
    path="key-auths",
    key="key",
    unique=(("key",),),
    fields={
        "id": ID,
        "created_at": NOW,
        "tags": TAGS,
        "key": Field(auto=lambda: secrets.token_hex(16)),
        "ttl": integer(0, 100_000_000),
        "consumer": foreign("consumers", cascade=True, required=True),
    },
)
MEMBERSHIPS = Entity(
    name="acls",
    key="group",
    unique=(("group", "consumer"),),
    fields={
        "id": ID,
        "created_at": NOW,
        "tags": TAGS,
        "group": text(required=True),
        "consumer": foreign("consumers", cascade=True, required=True),
    },
)


def _pair_matches(row: Row) -> str | None:
    return None if rules.matching_pair(row["cert"], row["key"]) else "certificate does not match key"


CERTIFICATES = Entity(
    name="certificates",
    fields=STAMPED
    | {
        "cert": text(rules.certificate, required=True),
        "key": text(rules.private_key, required=True),
        "cert_alt": text(rules.certificate),
        "key_alt": text(rules.private_key),
        "snis": Field(kind="set", elements=text(rules.server_name), default=[], names=("snis", "certificate")),
    },
    rules=((("cert", "key"), _pair_matches),),
)
SNIS = Entity(
    name="snis",
    key="name",
    unique=(("name",),),
    fields=STAMPED
    | {
        "name": text(rules.server_name, required=True),
        "certificate": foreign("certificates", cascade=True, required=True),
    },
)
