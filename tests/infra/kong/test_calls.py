"""What the provider calls of the Admin API is what the documents say that a role must be allowed."""

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
    TargetResource,
)
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
    """The way to the gateway, which notes each call."""
    host, _, port = gateway.admin.removeprefix("http://").partition(":")
    proxy = FaultProxy(("127.0.0.1", 0), (host, int(port)))
    yield proxy
    proxy.close()


def documented() -> set[tuple[str, str]]:
    """Each method with its path."""
    return {
        (method, path)
        for paths, methods in ROW.findall((ROOT / "docs" / "kong-provider.md").read_text())
        for path in re.findall("`([^`]+)`", paths)
        for method in methods.split(", ")
    }


def templated(call: str) -> tuple[str, str]:
    """The same of a call, with `*` for what names one entity."""
    method, path = call.partition("?")[0].split(" ")
    parts = path.removeprefix("/").split("/")
    return method, "/" + "/".join("*" if at % 2 else part for at, part in enumerate(parts))


def one_run(kind: type[EntityResource], entity: Entity, proxy: FaultProxy) -> EntityResource:
    kong = Kong(wait=lambda _: None)
    kong.configure({"adminUrl": f"http://127.0.0.1:{proxy.port}", "mark": "m"})
    return kind(kong, entity)


def live_a_life(kind: type[EntityResource], entity: Entity, proxy: FaultProxy, gateway: Gateway) -> None:
    """Made, imported, changed and removed, each in a run of its own."""
    mine, least = urn("Kong", uuid4().hex), Peers(gateway).least(entity)
    inputs, failures = one_run(kind, entity, proxy).check(mine, least, {})
    assert failures == []
    one_run(kind, entity, proxy).create(mine, inputs, preview=True)
    object_id, state = one_run(kind, entity, proxy).create(mine, inputs, preview=False)
    live(one_run(kind, entity, proxy), object_id, state)
    one_run(kind, entity, proxy).update(object_id, state, inputs, preview=False)
    one_run(kind, entity, proxy).delete(object_id, state)


def test_the_documents_name_all_that_the_provider_calls(proxy: FaultProxy, gateway: Gateway) -> None:
    for kind, entity in KINDS:
        live_a_life(kind, entity, proxy, gateway)
    for scope in ({}, {"route": Peers(gateway).new("routes")}, {"consumer": Peers(gateway).new("consumers")}):
        plugins = one_run(PluginResource, PLUGIN, proxy)
        inputs, _ = plugins.check("", {"name": "correlation-id"} | scope, {})
        plugins.create(urn("KongPlugin", uuid4().hex), inputs, preview=True)
    held = Peers(gateway).new("services")
    gateway.made("POST", f"/services/{held}/routes", {"paths": ["/held"]})
    with pytest.raises(PluginError, match="in use"):
        one_run(EntityResource, SERVICE, proxy).delete(held, {})
    called = {templated(call) for call in proxy.calls}
    assert called - documented() == set(), "these are missing in docs/kong-provider.md"
    assert documented() - called == set(), "nothing calls these any more"
