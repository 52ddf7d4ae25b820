"""Entities created through the provider, without an engine, and those that they refer to."""

from uuid import uuid4

from infra.kong.provider.resource import EntityResource
from infra.kong.schema.entity import Entity
from infra.props import Props
from tests.certificates import certificate
from tests.offline.peers import Gateway

CERT, CERT_KEY = certificate("a.example")


def urn(kind: str, name: str, stack: str = "test") -> str:
    return f"urn:pulumi:{stack}::session-context::session-context:index:Gateway$kong:index:{kind}::{name}"


def checked(resource: EntityResource, inputs: Props) -> Props:
    filled, failures = resource.check("", inputs, {})
    assert failures == []
    return filled


def made(resource: EntityResource, kind: str, inputs: Props) -> tuple[str, Props]:
    return resource.create(urn(kind, uuid4().hex), checked(resource, inputs), preview=False)


def live(resource: EntityResource, object_id: str, state: Props) -> Props:
    found = resource.read(object_id, state)
    assert found is not None
    return found[2]


class Peers:
    """The entities that others refer to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def new(self, collection: str) -> str:
        name = uuid4().hex
        bodies: dict[str, Props] = {
            "services": {"name": name, "host": "a.example"},
            "routes": {"name": name, "paths": ["/a"]},
            "upstreams": {"name": name},
            "consumers": {"username": name},
            "certificates": {"cert": CERT, "key": CERT_KEY},
        }
        made: str = self._gateway.made("POST", f"/{collection}", bodies[collection])["id"]
        return made

    def required_inputs(self, entity: Entity) -> Props:
        """Return the required inputs of an entity."""
        name = uuid4().hex
        needed: dict[str, Props] = {
            "services": {"host": "a.example", "name": name},
            "routes": {"hosts": [f"{name}.example"], "paths": ["/a"], "name": name},
            "upstreams": {"name": name},
            "plugins": {"name": "correlation-id"},
            "consumers": {"username": name},
            "certificates": {"cert": CERT, "key": CERT_KEY},
        }
        match entity.collection:
            case "targets":
                return {"upstream": self.new("upstreams"), "target": "127.0.0.1:80"}
            case "key-auth":
                return {"consumer": self.new("consumers"), "key": name}
            case "acls":
                return {"consumer": self.new("consumers"), "group": name}
            case "snis":
                return {"certificate": self.new("certificates"), "name": f"{name}.example"}
            case "plugins":
                return {"name": "correlation-id", "service": self.new("services")}
        return needed[entity.collection]


def patch(
    gateway: Gateway, entity: Entity, resource: EntityResource, object_id: str, inputs: Props, to: Props
) -> bool:
    """Update an entity by hand, and return whether Kong accepts that."""
    references = entity.references
    body = {name: {"id": value} if name in references and value else value for name, value in to.items()}
    path = "/".join([*resource._path(inputs), object_id])
    return gateway.call("PATCH", f"/{path}", body).ok
