"""The entities that Kong stores: fields, unique keys and rules (kong/db/schema/entities/*.lua)."""

from .certificates import CERTIFICATES, SNIS
from .consumers import CONSUMERS, KEYS, MEMBERSHIPS
from .plugins import PLUGINS
from .routes import ROUTES
from .services import SERVICES
from .upstreams import TARGETS, UPSTREAMS

_ALL = (SERVICES, ROUTES, UPSTREAMS, TARGETS, CONSUMERS, KEYS, MEMBERSHIPS, CERTIFICATES, SNIS, PLUGINS)
ENTITIES = {entity.name: entity for entity in _ALL}
