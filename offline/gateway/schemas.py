"""All entities in one table. Defaults, bounds and wording follow Kong 3.9.3."""

from .entities.guards import CERTIFICATES, CONSUMERS, KEYS, MEMBERSHIPS, SNIS
from .entities.plugins import PLUGINS
from .entities.routes import ROUTES
from .entities.services import SERVICES
from .entities.upstreams import TARGETS, UPSTREAMS

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
