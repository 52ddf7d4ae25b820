"""All entities in one table, and the fields that a body of each may hold.

Defaults, bounds and wording follow Kong 3.9.3.
"""

from dataclasses import replace

from .configs import CONFIGS, PROTOCOLS_OF
from .entities.entity import Entity, Fields
from .entities.guards import CERTIFICATES, CONSUMERS, KEYS, MEMBERSHIPS, PLUGINS, PROTOCOLS_OF_PLUGIN, SNIS
from .entities.routes import ROUTES
from .entities.services import SERVICES
from .entities.upstreams import TARGETS, UPSTREAMS
from .fields import Field, Row


def fields_of(entity: Entity, body: Row) -> Fields:
    """The entity's fields; a plugin's config is the record of the plugin it names, and so are its protocols."""
    if entity is not PLUGINS:
        return entity.fields
    name = body.get("name") or ""
    config = Field(kind="record", fields=CONFIGS.get(name), required=True, default={})
    protocols = PROTOCOLS_OF_PLUGIN
    if name in PROTOCOLS_OF:
        protocols = replace(protocols, default=PROTOCOLS_OF[name])
    return {**entity.fields, "config": config, "protocols": protocols}


ENTITIES = {
    entity.name: entity
    for entity in (
        SERVICES,
        ROUTES,
        UPSTREAMS,
        TARGETS,
        CONSUMERS,
        KEYS,
        MEMBERSHIPS,
        CERTIFICATES,
        SNIS,
        PLUGINS,
    )
}
