"""Plugins: kong/db/schema/entities/plugins.lua. What each one is made of is in configs.py."""

from dataclasses import replace

from .. import rules
from ..configs import PLUGINS as KNOWN
from ..configs import by_new_names, flatten_redis
from ..fields import Field, Row, flag, foreign, record, text
from .entity import NAME, STAMPED, Entity, Fault, Fields

_PROTOCOLS = Field(kind="set", required=True, default=["grpc", "grpcs", "http", "https"])
_CONSUMER = foreign("consumers", cascade=True)


def _enabled(name: str) -> str | None:
    if name in KNOWN:
        return None
    return f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"


def _fields_of(row: Row) -> Fields:
    """Those that differ from plugin to plugin."""
    plugin = KNOWN.get(str(row.get("name")))
    if plugin is None:
        return {}
    return {
        "config": record(*plugin.checks, **plugin.config),
        "protocols": replace(_PROTOCOLS, elements=text(rules.one_of(*plugin.takes)), default=[*plugin.protocols]),
        "consumer": _CONSUMER if plugin.for_consumers else replace(_CONSUMER, checks=(rules.unset,)),
    }


def _keeps_its_rules(row: Row) -> Fault | None:
    return next((fault for _, rule in KNOWN[row["name"]].rules if (fault := rule(row))), None)


PLUGINS = Entity(
    name="plugins",
    key="instance_name",
    unique=(("name", "service", "route", "consumer"), ("instance_name",)),
    vary=_fields_of,
    expand=by_new_names,
    present=flatten_redis,
    fields=STAMPED
    | {
        "name": text(_enabled, required=True),
        "instance_name": NAME,
        "config": Field(kind="record"),
        "enabled": flag(default=True),
        "protocols": _PROTOCOLS,
        "service": foreign("services", cascade=True),
        "route": foreign("routes", cascade=True),
        "consumer": _CONSUMER,
    },
    rules=((("name", "config"), _keeps_its_rules),),
)
