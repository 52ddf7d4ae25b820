"""Consumers with their keys and groups (kong/db/schema/entities/consumers.lua, plugins key-auth and acl)."""

import secrets

from ..schema import Field, foreign, integer, text
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
