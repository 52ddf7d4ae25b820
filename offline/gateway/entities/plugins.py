"""Plugins: kong/db/schema/entities/plugins.lua; their configs are in plugin_configs.py."""

from dataclasses import replace

from .. import checks
from ..schema import Field, Row, flag, foreign, record, text
from .entity import NAME, STAMPED, Entity, Error, Fields
from .plugin_configs import CONFIGS, add_flat_redis_fields, rename_old_fields

_PROTOCOLS = Field(kind="set", required=True, default=["grpc", "grpcs", "http", "https"])
_CONSUMER = foreign("consumers", cascade=True)


def _is_enabled(name: str) -> str | None:
    if name in CONFIGS:
        return None
    return f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"


def _vary_by_plugin(row: Row) -> Fields:
    plugin = CONFIGS.get(str(row.get("name")))
    if plugin is None:
        return {}
    return {
        "config": record(*plugin.checks, **plugin.config),
        "protocols": replace(
            _PROTOCOLS, elements=text(checks.one_of(*plugin.protocols)), default=[*plugin.default_protocols]
        ),
        "consumer": _CONSUMER if plugin.for_consumers else replace(_CONSUMER, checks=(checks.unset,)),
    }


def _follows_rules(row: Row) -> Error | None:
    return next((error for _, rule in CONFIGS[row["name"]].rules if (error := rule(row))), None)


PLUGINS = Entity(
    name="plugins",
    key="instance_name",
    unique=(("name", "service", "route", "consumer"), ("instance_name",)),
    vary=_vary_by_plugin,
    expand=rename_old_fields,
    present=add_flat_redis_fields,
    fields=STAMPED
    | {
        "name": text(_is_enabled, required=True),
        "instance_name": NAME,
        "config": Field(kind="record"),
        "enabled": flag(default=True),
        "protocols": _PROTOCOLS,
        "service": foreign("services", cascade=True),
        "route": foreign("routes", cascade=True),
        "consumer": _CONSUMER,
    },
    rules=((("name", "config"), _follows_rules),),
)
