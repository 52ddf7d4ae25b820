"""Plugins, consumers, keys and certificates against an Admin API over HTTP: made, changed, mended, gone."""

from uuid import uuid4

import pytest

from infra.kong.entities import SERVICE, Entity
from infra.kong.guards import CERTIFICATE, CONSUMER, KEY, PLUGIN, SNI
from infra.kong.provider import Kong, KongEntity, KongKey, entity_id
from infra.plugin import PluginError, Props
from tests.infra.certificates import certificate
from tests.offline.peers import Gateway


def urn(name: str) -> str:
    return f"urn:pulumi:test::session-context::session-context:index:Gateway$kong:index:Kong::{name}"


def made(resource: KongEntity, inputs: Props) -> tuple[str, Props]:
    filled, failures = resource.check("", inputs, {})
    assert failures == []
    return resource.create(urn(uuid4().hex), filled, preview=False)


def live(resource: KongEntity, object_id: str, state: Props) -> Props:
    found = resource.read(object_id, state)
    assert found is not None
    return found[2]


@pytest.fixture
def service(kong: Kong) -> str:
    return made(KongEntity(kong, SERVICE), {"host": "a.example"})[0]


@pytest.fixture
def consumer(kong: Kong) -> str:
    return made(KongEntity(kong, CONSUMER), {"username": uuid4().hex})[0]


def test_of_a_plugins_config_only_what_is_given_is_managed(kong: Kong, gateway: Gateway, service: str) -> None:
    plugin = KongEntity(kong, PLUGIN)
    object_id, state = made(plugin, {"name": "rate-limiting", "service": service, "config": {"minute": 5}})
    assert plugin.diff(live(plugin, object_id, state), state) == set()
    gateway.made("PATCH", f"/plugins/{object_id}", {"config": {"fault_tolerant": False}})
    assert plugin.diff(live(plugin, object_id, state), state) == set()
    gateway.made("PATCH", f"/plugins/{object_id}", {"config": {"minute": 6}})
    assert plugin.diff(live(plugin, object_id, state), state) == {"config"}
    plugin.update(object_id, state, state, preview=False)
    assert live(plugin, object_id, state) == state
    # What was set by hand is gone: the whole plugin is sent each time.
    assert gateway.call("GET", f"/plugins/{object_id}").json()["config"]["fault_tolerant"] is True


def test_a_plugin_may_be_as_kong_has_it(kong: Kong, service: str) -> None:
    plugin = KongEntity(kong, PLUGIN)
    object_id, state = made(plugin, {"name": "key-auth", "service": service, "config": {}})
    assert live(plugin, object_id, state) == state


def test_a_key_is_made_changed_and_removed_below_its_consumer(kong: Kong, gateway: Gateway, consumer: str) -> None:
    keys = KongKey(kong, KEY)
    inputs = {"consumer": consumer, "key": uuid4().hex}
    object_id, state = made(keys, inputs)
    assert live(keys, object_id, state) == state
    changed = state | {"key": uuid4().hex}
    keys.update(object_id, state, changed, preview=False)
    assert gateway.call("GET", f"/consumers/{consumer}/key-auth/{object_id}").json()["key"] == changed["key"]
    keys.delete(object_id, state)
    keys.delete(object_id, state)
    assert keys.read(object_id, state) is None


def test_a_repeated_create_of_a_key_is_the_same_create(kong: Kong, consumer: str) -> None:
    keys = KongKey(kong, KEY)
    filled, _ = keys.check("", {"consumer": consumer, "key": uuid4().hex}, {})
    first = keys.create(urn("same"), filled, preview=False)
    assert keys.create(urn("same"), filled, preview=False) == first
    assert keys.create(urn("same"), filled, preview=True)[0] == first[0] == entity_id(urn("same"), consumer)


def test_a_key_that_another_has_is_refused_without_repeating_it(kong: Kong, consumer: str) -> None:
    keys, other = KongKey(kong, KEY), made(KongEntity(kong, CONSUMER), {"username": uuid4().hex})[0]
    key = f"canary{uuid4().hex}"
    made(keys, {"consumer": other, "key": key})
    with pytest.raises(PluginError, match="another consumer in Kong has the key") as refused:
        made(keys, {"consumer": consumer, "key": key})
    assert key not in str(refused.value)


def test_a_key_of_a_consumer_that_is_gone_is_told(kong: Kong) -> None:
    with pytest.raises(PluginError, match="there is no consumer"):
        made(KongKey(kong, KEY), {"consumer": str(uuid4()), "key": uuid4().hex})


def test_a_certificate_is_renewed_in_place_and_keeps_its_host_names(kong: Kong, gateway: Gateway) -> None:
    name = f"{uuid4().hex}.example"
    certificates, snis = KongEntity(kong, CERTIFICATE), KongEntity(kong, SNI)
    first, second = (dict(zip(("cert", "key"), certificate(name), strict=True)) for _ in range(2))
    object_id, state = made(certificates, first)
    sni_id, sni = made(snis, {"name": name, "certificate": object_id})
    certificates.update(object_id, state, state | second, preview=False)
    assert live(certificates, object_id, state)["cert"].strip() == second["cert"].strip()
    assert live(snis, sni_id, sni) == sni
    assert gateway.call("GET", f"/snis/{name}").json()["certificate"]["id"] == object_id


def test_a_consumer_of_a_name_that_is_taken_is_told_with_whose_it_is(kong: Kong) -> None:
    consumers, name = KongEntity(kong, CONSUMER), uuid4().hex
    made(consumers, {"username": name, "tags": ["stack:other"]})
    with pytest.raises(PluginError, match=r"which this stack did not make .*stack:other"):
        made(consumers, {"username": name})


@pytest.mark.parametrize(
    ("entity", "inputs", "says"),
    [
        (PLUGIN, {"name": "key-auth"}, "is missing"),
        (PLUGIN, {"name": "key-auth", "config": []}, "must be an object"),
        (CONSUMER, {}, "must have a username or a custom_id"),
        (KEY, {"consumer": "c"}, "is missing"),
        (SNI, {"name": "a.example"}, "is missing"),
    ],
)
def test_a_wrong_guard_is_refused_before_kong_is_asked(
    kong: Kong, entity: Entity, inputs: Props, says: str
) -> None:
    _, failures = KongEntity(kong, entity).check("", inputs, {})
    assert [failure.reason for failure in failures] == [
        failure.reason for failure in failures if says in failure.reason
    ]
    assert failures
