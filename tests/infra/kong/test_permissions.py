"""The documented permissions are exactly the calls that the provider makes."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import (
    CertificateResource,
    KeyResource,
    MembershipResource,
    PluginResource,
    RouteResource,
)
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CERTIFICATE, CONSUMER, KEY, MEMBERSHIP, PLUGIN, SNI
from infra.kong.schema.entity import Entity
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.paths import ROOT
from infra.plugin import PluginError
from tests.faults.proxy import FaultProxy
from tests.infra.kong.entities import Peers, live, urn
from tests.offline.peers import Gateway

KINDS: list[tuple[type[EntityResource], Entity]] = [
    (EntityResource, SERVICE),
    (RouteResource, ROUTE),
    (EntityResource, UPSTREAM),
    (TargetResource, TARGET),
    (PluginResource, PLUGIN),
    (EntityResource, CONSUMER),
    (KeyResource, KEY),
    (MembershipResource, MEMBERSHIP),
    (CertificateResource, CERTIFICATE),
    (EntityResource, SNI),
]
ROW = re.compile(r"^\| (`/.*`) \| ([A-Z, ]+) \|$", re.MULTILINE)


@pytest.fixture
def proxy(gateway: Gateway) -> Iterator[FaultProxy]:
    """Yield a proxy of the gateway that records each call."""
    host, _, port = gateway.admin.removeprefix("http://").partition(":")
    proxy = FaultProxy(("127.0.0.1", 0), (host, int(port)))
    yield proxy
    proxy.close()


def documented_calls() -> set[tuple[str, str]]:
    """Return each documented method with its path."""
    return {
        (method, path)
        for paths, methods in ROW.findall((ROOT / "docs" / "kong-provider.md").read_text())
        for path in re.findall("`([^`]+)`", paths)
        for method in methods.split(", ")
    }


def to_template(call: str) -> tuple[str, str]:
    """Return a call's method and path, with `*` for the name of an entity."""
    method, path = call.partition("?")[0].split(" ")
    parts = path.removeprefix("/").split("/")
    return method, "/" + "/".join("*" if at % 2 else part for at, part in enumerate(parts))


def new_run(kind: type[EntityResource], entity: Entity, proxy: FaultProxy) -> EntityResource:
    kong = Kong(wait=lambda _: None)
    kong.configure({"adminUrl": f"http://127.0.0.1:{proxy.port}", "mark": "m"})
    return kind(kong, entity)


def run_lifecycle(kind: type[EntityResource], entity: Entity, proxy: FaultProxy, gateway: Gateway) -> None:
    """Create, read, update and delete an entity, each in a run of its own."""
    mine, least = urn("Kong", uuid4().hex), Peers(gateway).required_inputs(entity)
    inputs, failures = new_run(kind, entity, proxy).check(mine, least, {})
    assert failures == []
    new_run(kind, entity, proxy).create(mine, inputs, preview=True)
    object_id, state = new_run(kind, entity, proxy).create(mine, inputs, preview=False)
    live(new_run(kind, entity, proxy), object_id, state)
    new_run(kind, entity, proxy).update(object_id, state, inputs, preview=False)
    new_run(kind, entity, proxy).delete(object_id, state)


def test_every_call_of_the_provider_is_documented(proxy: FaultProxy, gateway: Gateway) -> None:
    for kind, entity in KINDS:
        run_lifecycle(kind, entity, proxy, gateway)
    for scope in ({}, {"route": Peers(gateway).new("routes")}, {"consumer": Peers(gateway).new("consumers")}):
        plugins = new_run(PluginResource, PLUGIN, proxy)
        inputs, _ = plugins.check("", {"name": "correlation-id"} | scope, {})
        plugins.create(urn("KongPlugin", uuid4().hex), inputs, preview=True)
    held = Peers(gateway).new("services")
    gateway.made("POST", f"/services/{held}/routes", {"paths": ["/held"]})
    with pytest.raises(PluginError, match="is used by"):
        new_run(EntityResource, SERVICE, proxy).delete(held, {})
    called = {to_template(call) for call in proxy.calls}
    assert called - documented_calls() == set(), "missing in docs/kong-provider.md"
    assert documented_calls() - called == set(), "no longer called"
