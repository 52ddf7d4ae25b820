"""Consumers in groups: this stack's own, and those of the platform, which are known by name."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource_types import MembershipResource
from infra.kong.schema.access import MEMBERSHIP
from infra.plugin import PluginError
from infra.props import Props
from tests.infra.kong.entities import checked, live, made, urn
from tests.offline.peers import Gateway

MINE = urn("KongMembership", "mine")


@pytest.fixture
def username(gateway: Gateway) -> str:
    """Return a consumer that another stack created."""
    made: str = gateway.made("POST", "/consumers", {"username": f"{uuid4().hex} & sons"})["username"]
    return made


def groups(gateway: Gateway, username: str) -> list[str]:
    return [row["group"] for row in gateway.call("GET", f"/consumers/{username}/acls").json()["data"]]


def test_a_consumer_is_added_to_a_group_by_name_and_removed(kong: Kong, gateway: Gateway, username: str) -> None:
    memberships = MembershipResource(kong, MEMBERSHIP)
    object_id, state = made(memberships, "KongMembership", {"consumer": username, "group": "p:s"})
    assert groups(gateway, username) == ["p:s"]
    assert live(memberships, object_id, state) == state
    for later_run in (MembershipResource(kong, MEMBERSHIP), MembershipResource(kong, MEMBERSHIP)):
        later_run.delete(object_id, state)
    assert groups(gateway, username) == []
    assert gateway.call("GET", f"/consumers/{username}").ok


def test_an_unknown_consumer_stops_the_preview(kong: Kong) -> None:
    memberships = MembershipResource(kong, MEMBERSHIP)
    inputs = checked(memberships, {"consumer": "nobody", "group": "p:s"})
    for preview in (True, False):
        with pytest.raises(PluginError, match=r"no consumer 'nobody'.*platformConsumers"):
            memberships.create(MINE, inputs, preview=preview)


def test_a_consumer_of_the_same_run_does_not_stop_the_preview(kong: Kong) -> None:
    memberships = MembershipResource(kong, MEMBERSHIP)
    inputs = checked(memberships, {"consumer": str(uuid4()), "group": "p:s"})
    assert memberships.create(MINE, inputs, preview=True)[0]


def test_drift_of_a_membership_is_detected(kong: Kong, gateway: Gateway, username: str) -> None:
    memberships = MembershipResource(kong, MEMBERSHIP)
    inputs = checked(memberships, {"consumer": username, "group": "p:s"})
    object_id, state = memberships.create(MINE, inputs, preview=False)
    gateway.made("PATCH", f"/consumers/{username}/acls/{object_id}", {"group": "other"})
    drifted = live(memberships, object_id, state)
    assert memberships.diff(drifted, inputs) == {"group"}
    assert memberships.keeps_id(MINE, object_id, inputs)
    memberships.update(object_id, drifted, inputs, preview=False)
    assert groups(gateway, username) == ["p:s"]
    gateway.call("DELETE", f"/consumers/{username}/acls/{object_id}")
    assert memberships.read(object_id, state) is None
    assert memberships.create(MINE, inputs, preview=False)[0] == object_id
    gateway.call("DELETE", f"/consumers/{username}")
    assert memberships.read(object_id, state) is None


def test_a_change_of_the_group_replaces_the_membership(kong: Kong, username: str) -> None:
    """So the new one exists before the old one is deleted."""
    memberships = MembershipResource(kong, MEMBERSHIP)
    inputs = checked(memberships, {"consumer": username, "group": "p:s"})
    object_id, state = memberships.create(MINE, inputs, preview=False)
    other: Props = inputs | {"group": "p:t"}
    assert memberships.diff(state, other) & memberships.replace_on_changes == {"group"}
    assert not memberships.keeps_id(MINE, object_id, other)
    assert memberships.create(MINE, other, preview=False)[0] != object_id


def test_a_membership_created_by_hand_stops_the_preview(kong: Kong, gateway: Gateway, username: str) -> None:
    theirs = gateway.made("POST", f"/consumers/{username}/acls", {"group": "p:s"})
    memberships = MembershipResource(kong, MEMBERSHIP)
    inputs = checked(memberships, {"consumer": username, "group": "p:s"})
    with pytest.raises(PluginError, match=rf"consumer '{username}' in the group 'p:s' \(id {theirs['id']}.*adopt"):
        memberships.create(MINE, inputs, preview=True)


def test_a_membership_is_imported_by_consumer_and_group(kong: Kong, gateway: Gateway, username: str) -> None:
    theirs = gateway.made("POST", f"/consumers/{username}/acls", {"group": "readers"})
    memberships = MembershipResource(kong, MEMBERSHIP)
    found = memberships.read(f"{username}/readers", {})
    assert found is not None
    object_id, _, inputs = found
    assert (object_id, inputs) == (theirs["id"], {"consumer": username, "group": "readers", "tags": None})
    assert live(memberships, object_id, inputs) == inputs
    with pytest.raises(PluginError, match="imported by CONSUMER/GROUP"):
        memberships.read("readers", {})
