"""Kong's own changes to what was written are no drift: after one write, nothing is left to change."""

from itertools import product
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import PluginResource
from infra.kong.schema.access import PLUGIN
from infra.kong.schema.routing import UPSTREAM
from infra.props import Props
from tests.infra.kong.entities import Peers, checked, made, patch
from tests.offline.peers import Gateway

ALGORITHMS = (None, "round-robin", "consistent-hashing", "least-connections", "latency")
HASHES: dict[str | None, Props] = {
    None: {},
    "none": {},
    "consumer": {},
    "ip": {},
    "path": {},
    "header": {"hash_on_header": "x-a"},
    "cookie": {"hash_on_cookie": "a"},
    "query_arg": {"hash_on_query_arg": "a"},
    "uri_capture": {"hash_on_uri_capture": "a"},
}
FALLBACKS: tuple[Props, ...] = (
    {},
    {"hash_fallback": "header", "hash_fallback_header": "x-b"},
    {"hash_fallback": "cookie", "hash_on_cookie": "a"},
)


def drift(resource: EntityResource, object_id: str, state: Props, inputs: Props) -> set[str]:
    """Return what the first preview after a refresh would change."""
    found = resource.read(object_id, state)
    assert found is not None
    return resource.diff(found[1], inputs)


@pytest.mark.parametrize(
    ("algorithm", "hash_on", "fallback"),
    [
        (algorithm, hash_on, fallback)
        for algorithm, hash_on, fallback in product(ALGORITHMS, HASHES, FALLBACKS)
        if not fallback or (hash_on in ("ip", "header") and algorithm not in ("least-connections", "latency"))
    ],
)
def test_an_upstream_does_not_drift(
    kong: Kong, algorithm: str | None, hash_on: str | None, fallback: Props
) -> None:
    upstream = EntityResource(kong, UPSTREAM)
    given = {"name": uuid4().hex, "algorithm": algorithm, "hash_on": hash_on} | HASHES[hash_on] | fallback
    assert drift(upstream, *made(upstream, "KongUpstream", given), checked(upstream, given)) == set()


def plugin(gateway: Gateway, name: str, config: Props | None) -> Props:
    return {"name": name, "service": Peers(gateway).new("services"), "config": config}


@pytest.mark.parametrize("config", [None, {}])
@pytest.mark.parametrize(
    "name", ["key-auth", "cors", "request-size-limiting", "correlation-id", "basic-auth", "prometheus"]
)
def test_a_plugin_without_a_config_does_not_drift(
    kong: Kong, gateway: Gateway, name: str, config: Props | None
) -> None:
    resource, given = PluginResource(kong, PLUGIN), plugin(gateway, name, config)
    assert drift(resource, *made(resource, "KongPlugin", given), checked(resource, given)) == set()


def test_a_renamed_field_drifts_only_when_it_is_changed(kong: Kong, gateway: Gateway) -> None:
    resource = PluginResource(kong, PLUGIN)
    given = plugin(gateway, "opentelemetry", {"endpoint": "http://a.example"})
    object_id, state = made(resource, "KongPlugin", given)
    inputs = checked(resource, given)
    assert drift(resource, object_id, state, inputs) == set()

    patch(gateway, PLUGIN, resource, object_id, inputs, {"config": {"traces_endpoint": "http://b.example"}})
    assert drift(resource, object_id, state, inputs) == {"config"}
    state = resource.update(object_id, state, inputs, preview=False)
    assert drift(resource, object_id, state, inputs) == set()
    assert gateway.call("GET", f"/plugins/{object_id}").json()["config"]["traces_endpoint"] == "http://a.example"
