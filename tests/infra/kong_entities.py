"""Entities made through the provider, without an engine."""

from uuid import uuid4

from infra.kong.managed import KongEntity
from infra.props import Props


def urn(kind: str, name: str, stack: str = "test") -> str:
    return f"urn:pulumi:{stack}::session-context::session-context:index:Gateway$kong:index:{kind}::{name}"


def checked(resource: KongEntity, inputs: Props) -> Props:
    filled, failures = resource.check("", inputs, {})
    assert failures == []
    return filled


def made(resource: KongEntity, kind: str, inputs: Props) -> tuple[str, Props]:
    return resource.create(urn(kind, uuid4().hex), checked(resource, inputs), preview=False)


def live(resource: KongEntity, object_id: str, state: Props) -> Props:
    found = resource.read(object_id, state)
    assert found is not None
    return found[2]
