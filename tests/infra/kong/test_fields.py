"""Every field of every entity: set, updated, cleared, and its drift detected and reverted."""

import re
from typing import NamedTuple
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
from infra.props import Props
from tests.certificates import certificate
from tests.infra.kong.entities import Peers, checked, live, patch, urn
from tests.offline.peers import Gateway

OTHER_CERT, OTHER_KEY = certificate("b.example")
ANOTHER = object()
"""A placeholder for the id of another entity of the collection that the field refers to."""


class Other(NamedTuple):
    """Another valid value for a field, and the other inputs that it requires."""

    value: object
    beside: Props = {}  # noqa: RUF012 - never changed


TLS = {"protocol": "https", "port": 443}
TCP = {"protocols": ["tcp"], "hosts": None, "paths": None}
BY_HEADER = {"hash_on": "header", "hash_on_header": "x-a"}
# A field that is missing here fails the test below.
OTHERS: dict[str, dict[str, Other]] = {
    "services": {
        "host": Other("b.example"), "name": Other("NEW"), "protocol": Other("https"), "port": Other(81),
        "path": Other("/b"), "retries": Other(6), "connect_timeout": Other(1), "write_timeout": Other(2),
        "read_timeout": Other(3), "enabled": Other(False), "tags": Other(["t"]),
        "client_certificate": Other(ANOTHER, TLS), "tls_verify": Other(True, TLS),
        "tls_verify_depth": Other(2, TLS),
    },
    "routes": {
        "service": Other(ANOTHER), "name": Other("NEW"), "protocols": Other(["http"]), "methods": Other(["GET"]),
        "hosts": Other(["b.example"]), "paths": Other(["/b"]), "headers": Other({"x-b": ["1"]}),
        "snis": Other(["b.example"]), "https_redirect_status_code": Other(301), "regex_priority": Other(1),
        "strip_path": Other(False), "path_handling": Other("v1"), "preserve_host": Other(True),
        "request_buffering": Other(False), "response_buffering": Other(False), "tags": Other(["t"]),
        "sources": Other([{"ip": "10.0.0.0/8"}], TCP), "destinations": Other([{"port": 9000}], TCP),
    },
    "upstreams": {
        "name": Other("NEW"), "algorithm": Other("least-connections"), "slots": Other(100),
        "host_header": Other("b.example"), "use_srv_name": Other(True), "tags": Other(["t"]),
        "healthchecks": Other({"active": {"http_path": "/b"}, "threshold": 1}),
        "hash_on": Other("ip"), "hash_on_header": Other("x-a", {"hash_on": "header"}),
        "hash_on_cookie": Other("c", {"hash_on": "cookie"}),
        "hash_on_cookie_path": Other("/c", {"hash_on": "cookie", "hash_on_cookie": "c"}),
        "hash_on_query_arg": Other("q", {"hash_on": "query_arg"}),
        "hash_on_uri_capture": Other("u", {"hash_on": "uri_capture"}),
        "hash_fallback": Other("ip", BY_HEADER),
        "hash_fallback_header": Other("x-b", BY_HEADER | {"hash_fallback": "header"}),
        "hash_fallback_query_arg": Other("q", BY_HEADER | {"hash_fallback": "query_arg"}),
        "hash_fallback_uri_capture": Other("u", BY_HEADER | {"hash_fallback": "uri_capture"}),
        "client_certificate": Other(ANOTHER),
    },
    "targets": {"weight": Other(7), "tags": Other(["t"])},
    "plugins": {
        "enabled": Other(False), "instance_name": Other("NEW"), "protocols": Other(["http"]), "tags": Other(["t"]),
        "service": Other(ANOTHER), "route": Other(ANOTHER), "consumer": Other(ANOTHER),
        "config": Other({"header_name": "X-B"}),
    },
    "consumers": {"username": Other("NEW"), "custom_id": Other("NEW"), "tags": Other(["t"])},
    "key-auth": {"key": Other("NEW"), "tags": Other(["t"])},
    "acls": {"tags": Other(["t"])},
    "certificates": {
        "cert": Other(OTHER_CERT, {"key": OTHER_KEY}), "key": Other(OTHER_KEY, {"cert": OTHER_CERT}),
        "tags": Other(["t"]),
    },
    "snis": {"name": Other("NEW"), "certificate": Other(ANOTHER), "tags": Other(["t"])},
}  # fmt: skip
ENTITIES = {
    "KongService": SERVICE,
    "KongRoute": ROUTE,
    "KongUpstream": UPSTREAM,
    "KongTarget": TARGET,
    "KongPlugin": PLUGIN,
    "KongConsumer": CONSUMER,
    "KongKey": KEY,
    "KongMembership": MEMBERSHIP,
    "KongCertificate": CERTIFICATE,
    "KongSni": SNI,
}
# A change of these replaces the entity, Kong does not know drain_seconds, and no CA certificate exists.
LEFT_OUT = {
    "targets": {"upstream", "target", "drain_seconds"},
    "key-auth": {"consumer"},
    "acls": {"consumer", "group"},
    "plugins": {"name"},
    "services": {"ca_certificates"},
}
KINDS = {
    "targets": TargetResource,
    "plugins": PluginResource,
    "key-auth": KeyResource,
    "acls": MembershipResource,
    "certificates": CertificateResource,
}


def other(entity: Entity, field: str, peers: Peers) -> Props:
    """Return inputs that differ at least in this field."""
    value, beside = OTHERS[entity.collection][field]
    if value is ANOTHER:
        value = peers.new(entity.references[field])
    elif value == "NEW":
        value = f"new-{uuid4().hex}.example"
    return {field: value, **beside}


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=ENTITIES)
def test_fields_named_like_secrets_are_secrets(entity: Entity) -> None:
    named = re.compile("(^|_)(key|password|secret|token)(_|$)")
    assert entity.secrets == {field for field in entity.fields if named.search(field)}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind, entity in ENTITIES.items()
        for field in entity.fields
        if field not in LEFT_OUT.get(entity.collection, set())
    ],
)
def test_each_field_is_set_updated_cleared_and_its_drift_detected(
    kong: Kong, gateway: Gateway, kind: str, field: str
) -> None:
    entity, peers = ENTITIES[kind], Peers(gateway)
    resource = KINDS.get(entity.collection, EntityResource)(kong, entity)
    base = peers.required_inputs(entity)
    plain = checked(resource, base)
    object_id, state = resource.create(urn(kind, uuid4().hex), plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()

    change = other(entity, field, peers)
    changed = checked(resource, base | change)
    assert field in resource.diff(state, changed)
    state = resource.update(object_id, state, changed, preview=False)
    assert resource.diff(live(resource, object_id, state), changed) == set()

    assert field in resource.diff(state, plain)
    state = resource.update(object_id, state, plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()

    assert patch(gateway, entity, resource, object_id, plain, change)
    assert field in resource.diff(live(resource, object_id, state), plain)
    state = resource.update(object_id, state, changed, preview=False)
    if patch(gateway, entity, resource, object_id, changed, {field: None}):
        drifted = live(resource, object_id, state)
        assert field in resource.diff(drifted, changed)
        resource.update(object_id, drifted, changed, preview=False)
        assert resource.diff(live(resource, object_id, changed), changed) == set()
