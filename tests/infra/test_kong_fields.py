"""Every field of every entity: set, changed, cleared, and its drift seen and mended."""

from typing import NamedTuple
from uuid import uuid4

import pytest

from infra.kong.connection import Kong
from infra.kong.entities import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.kong.fields import Entity, fields_of
from infra.kong.guards import CERTIFICATE, CONSUMER, KEY, PLUGIN, SNI
from infra.kong.managed import KongEntity
from infra.kong.plugins import CONFIGS
from infra.kong.provider import KongCertificate, KongPlugin, KongTarget
from infra.props import Props
from tests.infra.certificates import certificate
from tests.infra.kong_entities import checked, live, urn
from tests.offline.peers import Gateway

CERT, CERT_KEY = certificate("a.example")
OTHER_CERT, OTHER_KEY = certificate("b.example")
ANOTHER = object()
"""Stands for the id of another entity of the collection that the field points into."""


class Other(NamedTuple):
    """Another valid value for a field, and what has to be beside it."""

    value: object
    beside: Props = {}  # noqa: RUF012 - never changed


TLS = {"protocol": "https", "port": 443}
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
    "KongCertificate": CERTIFICATE,
    "KongSni": SNI,
}
# To change one of these is another entity; Kong does not know of a drain; and no value of the last ones goes with
# the least of the rest (authorities, and routes of TCP).
LEFT_OUT = {
    "targets": {"upstream", "target", "drain_seconds"},
    "key-auth": {"consumer"},
    "plugins": {"name"},
    "services": {"ca_certificates"},
    "routes": {"sources", "destinations"},
}
KINDS = {"targets": KongTarget, "plugins": KongPlugin, "certificates": KongCertificate}


class Peers:
    """The entities that others point to."""

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

    def least(self, entity: Entity) -> Props:
        """The fewest inputs that an entity needs."""
        name = uuid4().hex
        needed: dict[str, Props] = {
            "services": {"host": "a.example", "name": name},
            "routes": {"hosts": ["a.example"], "paths": ["/a"], "name": name},
            "upstreams": {"name": name},
            "plugins": {"name": "correlation-id"},
            "consumers": {"username": name},
            "certificates": {"cert": CERT, "key": CERT_KEY},
        }
        match entity.collection:
            case "targets":
                return {"upstream": self.new("upstreams"), "target": "a.example:80"}
            case "key-auth":
                return {"consumer": self.new("consumers"), "key": name}
            case "snis":
                return {"certificate": self.new("certificates"), "name": f"{name}.example"}
            case "plugins":
                return {"name": "correlation-id", "service": self.new("services")}
        return needed[entity.collection]


def other(entity: Entity, field: str, peers: Peers) -> Props:
    """Other inputs, which differ in this field at least."""
    value, beside = OTHERS[entity.collection][field]
    if value is ANOTHER:
        value = peers.new((entity.references or {})[field])
    elif value == "NEW":
        value = f"new-{uuid4().hex}.example"
    return {field: value, **beside}


def patch(
    gateway: Gateway, entity: Entity, resource: KongEntity, object_id: str, inputs: Props, to: Props
) -> bool:
    """Change it by hand, behind the stack's back; whether Kong takes that."""
    references = entity.references or {}
    body = {name: {"id": value} if name in references and value else value for name, value in to.items()}
    path = "/".join([*resource._path(inputs), object_id])
    return gateway.call("PATCH", f"/{path}", body).ok


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind, entity in ENTITIES.items()
        for field in entity.fields
        if field not in LEFT_OUT.get(entity.collection, set())
    ],
)
def test_each_field_is_set_changed_cleared_and_its_drift_seen(
    kong: Kong, gateway: Gateway, kind: str, field: str
) -> None:
    entity, peers = ENTITIES[kind], Peers(gateway)
    resource = KINDS.get(entity.collection, KongEntity)(kong, entity)
    base = peers.least(entity)
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


NEEDED: dict[str, Props] = {
    "rate-limiting": {"minute": 5},
    "ip-restriction": {"deny": ["10.0.0.1"]},
    "cors": {},
}
OTHER_CONFIG: dict[str, dict[str, object]] = {
    "key-auth": {
        "key_names": ["x-key"], "hide_credentials": True, "anonymous": "nobody", "key_in_header": False,
        "key_in_query": False, "key_in_body": True, "run_on_preflight": False, "realm": "r",
    },
    "rate-limiting": {
        "second": 1, "minute": 2, "hour": 30, "day": 40, "month": 50, "year": 60, "limit_by": "ip",
        "header_name": "x-a", "path": "/a", "policy": "redis", "fault_tolerant": False,
        "hide_client_headers": True, "error_code": 430, "error_message": "slow", "sync_rate": 1,
        "redis": {"host": "r.example", "port": 1},
    },
    "request-size-limiting": {"allowed_payload_size": 1, "size_unit": "bytes", "require_content_length": True},
    "correlation-id": {"header_name": "X-B", "generator": "uuid", "echo_downstream": True},
    "cors": {
        "origins": ["https://a.example"], "headers": ["X-A"], "exposed_headers": ["X-A"], "methods": ["GET"],
        "max_age": 60, "credentials": True, "private_network": True, "preflight_continue": True,
    },
    "ip-restriction": {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.2"], "status": 404, "message": "no"},
}  # fmt: skip
BESIDE: dict[tuple[str, str], Props] = {
    ("rate-limiting", "policy"): {"redis": {"host": "r.example"}},
    ("rate-limiting", "header_name"): {"limit_by": "header"},
    ("rate-limiting", "path"): {"limit_by": "path"},
}


@pytest.mark.parametrize(
    ("plugin", "field"), [(name, field) for name in CONFIGS for field in fields_of(CONFIGS[name])]
)
def test_each_field_of_a_known_config_is_set_cleared_and_its_drift_seen(
    kong: Kong, gateway: Gateway, plugin: str, field: str
) -> None:
    resource = KongPlugin(kong, PLUGIN)
    given = {"name": plugin, "service": Peers(gateway).new("services"), "config": NEEDED.get(plugin, {})}
    plain = checked(resource, given)
    object_id, state = resource.create(urn("KongPlugin", uuid4().hex), plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()

    beside = BESIDE.get((plugin, field), {})
    changed = checked(
        resource, given | {"config": NEEDED.get(plugin, {}) | beside | {field: OTHER_CONFIG[plugin][field]}}
    )
    assert resource.diff(state, changed) == {"config"}
    state = resource.update(object_id, state, changed, preview=False)
    assert resource.diff(live(resource, object_id, state), changed) == set()

    state = resource.update(object_id, state, plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()
    by_hand = {"config": beside | {field: OTHER_CONFIG[plugin][field]}}
    assert patch(gateway, PLUGIN, resource, object_id, plain, by_hand)
    if field != "redis":  # of a record only what is given is managed
        assert resource.diff(live(resource, object_id, state), plain) == {"config"}


def test_of_another_plugin_only_what_is_given_is_managed(kong: Kong, gateway: Gateway) -> None:
    resource = KongPlugin(kong, PLUGIN)
    given = {"name": "correlation-id", "service": Peers(gateway).new("services"), "config": {"generator": "uuid"}}
    unknown = resource._live("config", {"name": "prometheus", "config": {"a": 1, "b": {"c": 2, "d": 3}}}, {
        "config": {"b": {"c": 1}}
    })  # fmt: skip
    assert unknown == {"b": {"c": 2}}
    assert checked(resource, given)["config"] == {
        "header_name": "Kong-Request-ID",
        "generator": "uuid",
        "echo_downstream": False,
    }
