"""Ownership: conflicts that stop a preview, adoption, and what converges by itself."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import KeyResource, PluginResource
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CONSUMER, KEY, PLUGIN, SNI
from infra.kong.schema.entity import Entity
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.plugin import PluginError
from infra.props import UNKNOWN, Failure, Props
from tests.infra.kong.entities import Peers, checked, live, made, urn
from tests.offline.peers import Gateway
from tests.ports import free_port

MINE = urn("KongService", "mine")


@pytest.fixture
def adopting(gateway: Gateway) -> Kong:
    """Return the provider's Kong, with `kong:adopt`."""
    kong = Kong()
    kong.configure({"adminUrl": gateway.admin, "adopt": "true"})
    return kong


def test_an_entity_is_tagged_with_its_stack(kong: Kong) -> None:
    resource = EntityResource(kong, SERVICE)
    filled, _ = resource.check(MINE, {"host": "a.example", "tags": ["t"]}, {})
    assert filled["tags"] == ["t", "project:session-context", "stack:test"]
    assert resource.check(MINE, filled, {})[0] == filled


@pytest.mark.parametrize("kind", ["service", "route", "upstream", "consumer", "sni", "plugin", "target"])
def test_an_existing_entity_stops_the_preview_unless_it_is_adopted(
    kong: Kong, adopting: Kong, gateway: Gateway, kind: str
) -> None:
    peers, name = Peers(gateway), uuid4().hex
    places: dict[str, tuple[Entity, Props, str]] = {
        "service": (SERVICE, {"name": name, "host": "new.example"}, "/services"),
        "route": (ROUTE, {"name": name, "paths": ["/new"]}, "/routes"),
        "upstream": (UPSTREAM, {"name": name, "slots": 11}, "/upstreams"),
        "consumer": (CONSUMER, {"username": name, "custom_id": name}, "/consumers"),
        "sni": (SNI, {"name": f"{name}.example", "certificate": peers.new("certificates")}, "/snis"),
        "plugin": (PLUGIN, {"name": "key-auth", "service": peers.new("services")}, "/plugins"),
        "target": (TARGET, {"target": "127.0.0.1:80", "upstream": peers.new("upstreams")}, ""),
    }
    entity, inputs, path = places[kind]
    old = {"name": name, "username": name, "host": "old.example", "paths": ["/old"]}
    references = {field: {"id": inputs[field]} for field in entity.references if field in inputs}
    known = {field: old[field] for field in old if field in inputs} | {
        field: inputs[field] for field in ("name", "target") if field in inputs
    }
    theirs = gateway.made(
        "POST",
        path or f"/upstreams/{inputs['upstream']}/targets",
        known | (references if path else {}) | {"tags": ["by-hand"]},
    )
    of_kind = {"plugin": PluginResource, "target": TargetResource}.get(kind, EntityResource)
    resource = of_kind(kong, entity)
    with pytest.raises(PluginError, match=rf"{theirs['id']}.*by-hand.*did not create.*kong:adopt"):
        resource.create(MINE, checked(resource, inputs), preview=True)
    with pytest.raises(PluginError, match="kong:adopt"):
        resource.create(MINE, checked(resource, inputs), preview=False)

    taker = of_kind(adopting, entity)
    wanted = checked(taker, inputs)
    assert taker.create(MINE, wanted, preview=True)[0] == theirs["id"]
    object_id, state = taker.create(MINE, wanted, preview=False)
    assert object_id == theirs["id"]
    assert taker.diff(live(taker, object_id, state), wanted) == set()


@pytest.mark.parametrize(
    ("entity", "inputs", "advice"),
    [
        (SERVICE, {"host": "a.example"}, "`pulumi config set serviceName NAME`"),
        (ROUTE, {"paths": ["/a"]}, "`pulumi config set routeName NAME`"),
        (UPSTREAM, {}, "`pulumi config set upstreamName NAME`"),
    ],
)
def test_a_name_of_another_stack_stops_the_preview_and_names_the_key_to_set(
    kong: Kong, gateway: Gateway, entity: Entity, inputs: Props, advice: str
) -> None:
    resource, wanted = EntityResource(kong, entity), {**inputs, "name": uuid4().hex}
    tags = ["project:session-context", "stack:other"]
    gateway.made("POST", f"/{entity.collection}", {**wanted, "tags": tags})
    with pytest.raises(PluginError) as error:
        resource.create(MINE, checked(resource, wanted), preview=True)
    assert "which stack other of project session-context owns: run" in str(error.value)
    assert advice in str(error.value)
    assert "each stack on one Kong needs its own hostname, serviceName, routeName and upstreamName" in str(
        error.value
    )


def test_an_entity_of_another_stack_is_never_adopted(adopting: Kong, gateway: Gateway) -> None:
    name = uuid4().hex
    tags = ["project:session-context", "stack:other"]
    theirs = gateway.made("POST", "/services", {"name": name, "host": "other.example", "tags": tags})
    resource = EntityResource(adopting, SERVICE)
    with pytest.raises(PluginError, match="stack other of project session-context owns"):
        resource.create(MINE, checked(resource, {"host": "a.example", "name": name}), preview=True)
    assert gateway.call("GET", f"/services/{theirs['id']}").json()["host"] == "other.example"


def test_an_entity_of_another_logical_name_is_a_conflict_with_advice(kong: Kong) -> None:
    resource = EntityResource(kong, SERVICE)
    inputs, _ = resource.check(MINE, {"host": "a.example", "name": uuid4().hex}, {})
    resource.create(urn("KongService", uuid4().hex), inputs, preview=False)
    with pytest.raises(PluginError, match=r"another logical name.*alias"):
        resource.create(MINE, inputs, preview=True)


def test_a_rename_to_a_taken_name_stops_the_preview(kong: Kong, gateway: Gateway) -> None:
    resource, taken = EntityResource(kong, SERVICE), uuid4().hex
    theirs = gateway.made("POST", "/services", {"name": taken, "host": "other.example"})
    object_id, state = made(resource, "KongService", {"host": "a.example", "name": uuid4().hex})
    with pytest.raises(PluginError, match=f"{taken}.*{theirs['id']}"):
        resource.update(object_id, state, state | {"name": taken}, preview=True)


def test_a_taken_key_stops_the_preview_and_is_not_repeated(kong: Kong, gateway: Gateway) -> None:
    peers, secret = Peers(gateway), f"canary-{uuid4().hex}"
    theirs = gateway.made("POST", f"/consumers/{peers.new('consumers')}/key-auth", {"key": secret})
    resource = KeyResource(kong, KEY)
    inputs = checked(resource, {"consumer": peers.new("consumers"), "key": secret})
    with pytest.raises(PluginError, match=rf"this very key for a consumer \(id {theirs['id']}") as seen:
        resource.create(urn("KongKey", uuid4().hex), inputs, preview=True)
    other = checked(resource, inputs | {"key": uuid4().hex})
    object_id, state = resource.create(urn("KongKey", uuid4().hex), other, preview=False)
    with pytest.raises(PluginError, match="UNIQUE") as rejected:
        resource.update(object_id, state, inputs, preview=False)
    assert secret not in f"{seen.value} {rejected.value}"


def test_a_preview_applies_kongs_own_validation(kong: Kong) -> None:
    plugin = PluginResource(kong, PLUGIN)
    _, failures = plugin.check(MINE, {"name": "no-such-plugin", "config": {"a": 1}}, {})
    assert [failure.property for failure in failures] == ["name"]
    _, failures = plugin.check(MINE, {"name": "key-auth", "config": {"bogus": 1, "key_names": ["a"]}}, {})
    assert failures == [Failure("config.bogus", "unknown field")]
    _, failures = plugin.check(MINE, {"name": "rate-limiting", "config": {}}, {})
    assert [failure.property for failure in failures] == ["config"]
    # Kong's validation splits such a name at the dot, and a PUT does not.
    dotted = {"name": "key-auth", "config": {"a.b": 1}}
    assert plugin.check(MINE, dotted, {})[1] == []
    filled, failures = plugin.check(MINE, {"name": "key-auth", "service": UNKNOWN, "config": {"bogus": 1}}, {})
    assert (failures, filled["service"]) == ([], UNKNOWN)


def test_a_preview_without_the_admin_api_warns_once() -> None:
    warnings: list[str] = []
    kong = Kong(warn=warnings.append)
    kong.configure({"adminUrl": f"http://127.0.0.1:{free_port()}"})
    resource = EntityResource(kong, SERVICE)
    inputs, failures = resource.check(MINE, {"host": "a.example", "name": "a"}, {})
    assert failures == []
    object_id, _ = resource.create(MINE, inputs, preview=True)
    assert object_id
    assert len(warnings) == 1
    assert "is unreachable" in warnings[0]
    with pytest.raises(PluginError, match="failed, as reported above"):
        resource.create(MINE, inputs, preview=False)
