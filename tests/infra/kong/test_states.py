"""Two states of stacks with the same name on one Kong: neither changes the other's entities."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import (
    CertificateResource,
    KeyResource,
    MembershipResource,
    PluginResource,
)
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CERTIFICATE, CONSUMER, KEY, MEMBERSHIP, PLUGIN, SNI
from infra.kong.schema.entity import Entity
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.plugin import PluginError
from infra.props import UNKNOWN, Props
from tests.infra.kong.entities import Peers, live, urn
from tests.offline.peers import Gateway

OF_KIND = {
    "targets": TargetResource,
    "plugins": PluginResource,
    "key-auth": KeyResource,
    "acls": MembershipResource,
    "certificates": CertificateResource,
}
ALL = [SERVICE, ROUTE, UPSTREAM, TARGET, PLUGIN, CONSUMER, KEY, MEMBERSHIP, CERTIFICATE, SNI]


class State:
    """A state with its mark; each run has its own provider."""

    def __init__(self, gateway: Gateway, entity: Entity = SERVICE, *, mark: str | None = None) -> None:
        self._gateway, self._entity = gateway, entity
        self.mark = mark
        self.warnings: list[str] = []

    def run(self, *, adopt: bool = False) -> EntityResource:
        kong = Kong(warn=self.warnings.append)
        kong.configure({"adminUrl": self._gateway.admin, "mark": self.mark, "adopt": adopt})
        return OF_KIND.get(self._entity.collection, EntityResource)(kong, self._entity)

    def checked(self, urn: str, inputs: Props) -> Props:
        filled, failures = self.run().check(urn, inputs, {})
        assert failures == []
        return filled

    def create(self, urn: str, inputs: Props) -> tuple[str, Props]:
        return self.run().create(urn, self.checked(urn, inputs), preview=False)


@pytest.fixture
def mine() -> str:
    return urn("Kong", uuid4().hex)


@pytest.fixture
def inputs() -> Props:
    """Of a service."""
    return {"host": "a.example", "name": uuid4().hex}


@pytest.mark.parametrize("entity", ALL, ids=[entity.collection for entity in ALL])
def test_an_entity_of_another_state_stops_the_preview_until_it_is_adopted(
    gateway: Gateway, entity: Entity, mine: str
) -> None:
    first, second = (State(gateway, entity, mark=uuid4().hex) for _ in range(2))
    inputs = Peers(gateway).required_inputs(entity)
    object_id, state = first.create(mine, inputs)

    desired = second.checked(mine, inputs)
    says = rf"id {object_id}, tags .*{first.mark}.*another state.*pulumi login.*kong:adopt"
    for preview in (True, False):
        with pytest.raises(PluginError, match=says):
            second.run().create(mine, desired, preview=preview)
    assert live(first.run(), object_id, state) == state

    for preview in (True, False):
        assert second.run(adopt=True).create(mine, desired, preview=preview)[0] == object_id
    assert live(second.run(), object_id, desired) == desired


def test_an_interrupted_create_is_repeated(gateway: Gateway, mine: str, inputs: Props) -> None:
    state = State(gateway, mark=uuid4().hex)
    made = state.create(mine, inputs)
    assert state.run().create(mine, made[1], preview=True)[0] == made[0]
    assert state.create(mine, inputs) == made


def test_an_entity_adopted_by_another_state_is_left_alone(gateway: Gateway, mine: str, inputs: Props) -> None:
    first, second = (State(gateway, mark=uuid4().hex) for _ in range(2))
    object_id, state = first.create(mine, inputs)
    taken = second.checked(mine, inputs | {"host": "b.example"})
    second.run(adopt=True).create(mine, taken, preview=False)

    for preview in (True, False):
        with pytest.raises(PluginError, match=f"{second.mark}.*another state"):
            first.run().update(object_id, state, state | {"port": 81}, preview=preview)
    assert first.run().read(object_id, state) is None
    first.run().delete(object_id, state)
    assert [object_id in warning for warning in first.warnings] == [True, True]
    assert live(second.run(), object_id, taken) == taken

    first.run(adopt=True).update(object_id, state, state, preview=False)
    assert live(first.run(), object_id, state) == state


def test_a_state_from_before_marks_is_upgraded_in_place(gateway: Gateway, mine: str, inputs: Props) -> None:
    state = State(gateway)
    object_id, before = state.create(mine, inputs)
    state.mark = uuid4().hex
    after = state.checked(mine, inputs)
    assert state.run().diff(before, after) == {"tags"}
    assert state.run().replace_on_changes == set()
    assert live(state.run(), object_id, before) == before
    state.run().update(object_id, before, after, preview=True)
    state.run().update(object_id, before, after, preview=False)
    assert live(state.run(), object_id, before)["tags"] == [*before["tags"], f"mark:{state.mark}"]
    # A run that was killed before it recorded that finds its own mark.
    assert state.run().read(object_id, before) is not None
    state.run().delete(object_id, before)
    assert state.run().read(object_id, before) is None
    assert state.warnings == []


def test_an_imported_entity_is_adopted(gateway: Gateway, mine: str, inputs: Props) -> None:
    first, second = (State(gateway, mark=uuid4().hex) for _ in range(2))
    object_id, _ = first.create(mine, inputs)
    imported = second.run().read(inputs["name"], {})
    assert imported is not None
    assert imported[0] == object_id
    desired = second.checked(mine, inputs)
    second.run().update(object_id, imported[1], desired, preview=False)
    assert live(second.run(), object_id, desired) == desired


def test_an_unknown_mark_is_an_unknown_tag(gateway: Gateway, mine: str, inputs: Props) -> None:
    assert State(gateway, mark=UNKNOWN).checked(mine, inputs)["tags"][-1] == UNKNOWN
