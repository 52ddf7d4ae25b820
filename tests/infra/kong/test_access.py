"""Keys of consumers, and certificates: created, updated, deleted."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.ownership import entity_id
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import CertificateResource, KeyResource
from infra.kong.schema.access import CERTIFICATE, CONSUMER, KEY, PLUGIN, SNI
from infra.kong.schema.entity import Entity
from infra.plugin import PluginError
from infra.props import Props
from tests.certificates import certificate
from tests.infra.kong.entities import checked, live, urn
from tests.offline.peers import Gateway


def create(resource: EntityResource, inputs: Props) -> tuple[str, Props]:
    return resource.create(urn("Kong", uuid4().hex), checked(resource, inputs), preview=False)


@pytest.fixture
def consumer(kong: Kong) -> str:
    return create(EntityResource(kong, CONSUMER), {"username": uuid4().hex})[0]


def test_a_key_is_created_updated_and_deleted_below_its_consumer(
    kong: Kong, gateway: Gateway, consumer: str
) -> None:
    keys = KeyResource(kong, KEY)
    inputs = {"consumer": consumer, "key": uuid4().hex}
    object_id, state = create(keys, inputs)
    assert live(keys, object_id, state) == state
    changed = state | {"key": uuid4().hex}
    keys.update(object_id, state, changed, preview=False)
    assert gateway.call("GET", f"/consumers/{consumer}/key-auth/{object_id}").json()["key"] == changed["key"]
    for later_run in (KeyResource(kong, KEY), KeyResource(kong, KEY)):
        later_run.delete(object_id, state)
    assert keys.read(object_id, state) is None


def test_a_repeated_create_addresses_the_same_key(kong: Kong, consumer: str) -> None:
    keys = KeyResource(kong, KEY)
    filled, _ = keys.check("", {"consumer": consumer, "key": uuid4().hex}, {})
    first = keys.create(urn("KongKey", "same"), filled, preview=False)
    assert keys.create(urn("KongKey", "same"), filled, preview=False) == first
    assert (
        keys.create(urn("KongKey", "same"), filled, preview=True)[0]
        == first[0]
        == entity_id(urn("KongKey", "same"), consumer)
    )


def test_a_key_of_a_deleted_consumer_is_an_error(kong: Kong) -> None:
    with pytest.raises(PluginError, match=r"consumers/.* no longer exists in Kong; run pulumi up --refresh"):
        create(KeyResource(kong, KEY), {"consumer": str(uuid4()), "key": uuid4().hex})


def test_a_certificate_is_renewed_in_place_and_keeps_its_snis(kong: Kong, gateway: Gateway) -> None:
    name = f"{uuid4().hex}.example"
    certificates, snis = CertificateResource(kong, CERTIFICATE), EntityResource(kong, SNI)
    first, second = (dict(zip(("cert", "key"), certificate(name), strict=True)) for _ in range(2))
    object_id, state = create(certificates, first)
    sni_id, sni = create(snis, {"name": name, "certificate": object_id})
    certificates.update(object_id, state, state | second, preview=False)
    assert live(certificates, object_id, state)["cert"].strip() == second["cert"].strip()
    assert live(snis, sni_id, sni) == sni
    assert gateway.call("GET", f"/snis/{name}").json()["certificate"]["id"] == object_id


@pytest.mark.parametrize(
    ("entity", "inputs", "expected"),
    [
        (PLUGIN, {"config": {}}, "only a class of plugin_configs.py names its plugin"),
        (PLUGIN, {"name": "key-auth", "config": []}, "must be an object"),
        (CONSUMER, {}, "must have a username or a custom_id"),
        (KEY, {"consumer": "c"}, "is missing"),
        (SNI, {"name": "a.example"}, "is missing"),
    ],
)
def test_invalid_inputs_are_rejected_without_kong(
    kong: Kong, entity: Entity, inputs: Props, expected: str
) -> None:
    _, failures = EntityResource(kong, entity).check("", inputs, {})
    assert [failure.reason for failure in failures] == [
        failure.reason for failure in failures if expected in failure.reason
    ]
    assert failures
