"""Consumers and their keys, certificates and host names, and plugins."""

import secrets
from itertools import pairwise

from .. import rules
from ..configs import CONFIGS, PERIODS, by_new_names, flatten_redis
from ..fields import Field, Row, flag, foreign, integer, text
from .entity import ID, NAME, NOW, PROTOCOLS, STAMPED, TAGS, Entity, Fault, at_least_one

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


PROTOCOLS_OF_PLUGIN = Field(
    kind="set",
    elements=text(rules.one_of(*PROTOCOLS)),
    default=["grpc", "grpcs", "http", "https"],
    required=True,
)


def _enabled(name: str) -> str | None:
    if name in CONFIGS:
        return None
    return f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"


def _limits_fit(row: Row) -> Fault | None:
    """kong/plugins/rate-limiting/schema.lua"""
    if row["name"] != "rate-limiting":
        return None
    config = row["config"]
    if fault := at_least_one(*(f"config.{period}" for period in PERIODS))[1](row):
        return fault
    given = [(period, config[period]) for period in PERIODS if config[period] is not None]
    for (shorter, fewer), (longer, more) in pairwise(given):
        if more < fewer:
            return f"The limit for {longer}({more:.1f}) cannot be lower than the limit for {shorter}({fewer:.1f})"
    if config["sync_rate"] != -1 and config["policy"] != "redis":
        return "sync_rate can only be used with the redis policy"
    return None


def _allows_or_denies(row: Row) -> str | None:
    """kong/plugins/acl/schema.lua"""
    if row["name"] != "acl" or bool(row["config"]["allow"]) != bool(row["config"]["deny"]):
        return None
    return "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"


PLUGINS = Entity(
    name="plugins",
    key="instance_name",
    unique=(("name", "service", "route", "consumer"), ("instance_name",)),
    expand=by_new_names,
    present=flatten_redis,
    fields=STAMPED
    | {
        "name": text(_enabled, required=True),
        "instance_name": NAME,
        "config": Field(kind="record", required=True),
        "enabled": flag(default=True),
        "protocols": PROTOCOLS_OF_PLUGIN,
        "service": foreign("services", cascade=True),
        "route": foreign("routes", cascade=True),
        "consumer": foreign("consumers", cascade=True),
    },
    rules=((("name", "config"), _limits_fit), (("name", "config"), _allows_or_denies)),
)
