"""A plugin that restricts access is live in every worker of Kong before its route is, and as long as it is."""

import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import PluginResource, RouteResource
from infra.kong.schema.access import PLUGIN
from infra.kong.schema.routing import ROUTE, SERVICE
from infra.plugin import PluginError
from infra.props import Props
from tests.infra.kong.entities import checked, made, urn
from tests.offline.peers import Gateway, Site, Upstream
from tests.waiting import wait_for

MINE = urn("KongPlugin", "mine")
PROPAGATED = 1.0  # the seconds of a rebuild: the gateway of these tests has no timers


class Waits:
    """The provider's Kong for new runs, and each wait with the plugins that Kong had at that time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.service = gateway.made("POST", "/services", {"host": "a.example"})["id"]
        self.seen: list[tuple[float, list[str]]] = []

    def kong(self) -> Kong:
        kong = Kong(wait=self._wait)
        kong.configure({"adminUrl": self._gateway.admin})
        return kong

    def plugin(self) -> PluginResource:
        return PluginResource(self.kong(), PLUGIN)

    def route(self) -> Props:
        return self._gateway.made("POST", f"/services/{self.service}/routes", {"paths": ["/a"]})

    def _wait(self, seconds: float) -> None:
        rows = self._gateway.call("GET", f"/services/{self.service}/plugins").json()["data"]
        self.seen.append((seconds, sorted(row["name"] for row in rows)))


@pytest.fixture
def waits(gateway: Gateway) -> Waits:
    return Waits(gateway)


@pytest.mark.parametrize(
    ("name", "config"), [("key-auth", {}), ("acl", {"allow": ["a"]}), ("ip-restriction", {"deny": ["10.0.0.1"]})]
)
def test_a_create_or_update_of_a_restricting_plugin_waits(waits: Waits, name: str, config: Props) -> None:
    plugin = waits.plugin()
    inputs = checked(plugin, {"name": name, "service": waits.service, "config": config})
    plugin.create(MINE, inputs, preview=True)
    assert waits.seen == []
    object_id, state = plugin.create(MINE, inputs, preview=False)
    assert waits.seen == [(PROPAGATED, [name])]
    plugin.update(object_id, state, inputs, preview=True)
    assert len(waits.seen) == 1
    plugin.update(object_id, state, inputs | {"enabled": False}, preview=False)
    assert waits.seen[1:] == [(PROPAGATED, [name])]


@pytest.mark.parametrize("name", ["correlation-id", "request-size-limiting"])
def test_other_plugins_do_not_wait(waits: Waits, name: str) -> None:
    plugin = waits.plugin()
    inputs = checked(plugin, {"name": name, "service": waits.service})
    object_id, state = plugin.create(MINE, inputs, preview=False)
    plugin.update(object_id, state, inputs, preview=False)
    waits.plugin().delete(object_id, state)
    assert waits.seen == []


def test_after_an_interrupted_wait_the_next_run_waits_again(waits: Waits, gateway: Gateway) -> None:
    def interrupted(_: float) -> None:
        raise PluginError("interrupted")

    kong = Kong(wait=interrupted)
    kong.configure({"adminUrl": gateway.admin})
    inputs = checked(PluginResource(kong, PLUGIN), {"name": "key-auth", "service": waits.service})
    with pytest.raises(PluginError, match="interrupted"):
        PluginResource(kong, PLUGIN).create(MINE, inputs, preview=False)
    waits.plugin().create(MINE, inputs, preview=False)
    assert waits.seen == [(PROPAGATED, ["key-auth"])]


def test_a_forced_replacement_waits_once(waits: Waits) -> None:
    plugin = waits.plugin()
    waits.route()
    inputs = checked(plugin, {"name": "key-auth", "service": waits.service})
    object_id, state = plugin.create(MINE, inputs, preview=False)
    plugin.delete(object_id, state)
    assert waits.seen == [(PROPAGATED, ["key-auth"])]


def test_a_deleted_plugin_is_waited_for_if_its_service_has_routes(waits: Waits) -> None:
    inputs = checked(waits.plugin(), {"name": "key-auth", "service": waits.service})
    object_id, state = waits.plugin().create(MINE, inputs, preview=False)
    waits.plugin().delete(object_id, state)
    assert len(waits.seen) == 1, "without a route, no request can be rejected"
    waits.plugin().create(MINE, inputs, preview=False)
    waits.route()
    waits.plugin().delete(object_id, state)
    assert waits.seen[2:] == [(PROPAGATED, [])]


def test_a_deleted_route_is_waited_for_if_access_was_restricted(waits: Waits, gateway: Gateway) -> None:
    for name, waited in (("correlation-id", []), ("key-auth", [(PROPAGATED, ["correlation-id", "key-auth"])])):
        gateway.made("POST", f"/services/{waits.service}/plugins", {"name": name})
        route = RouteResource(waits.kong(), ROUTE)
        inputs = checked(route, {"service": waits.service, "paths": ["/a"]})
        object_id, state = route.create(urn("KongRoute", "mine"), inputs, preview=False)
        RouteResource(waits.kong(), ROUTE).delete(object_id, state)
        assert waits.seen == waited
    assert gateway.call("GET", f"/routes/{object_id}").status_code == 404


@pytest.fixture
def slow() -> Iterator[Gateway]:
    """Yield a gateway that applies routes and plugins by separate timers, as Kong does."""
    gateway = Gateway("--worker-state-update-frequency", "2")
    yield gateway
    gateway.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


def test_a_new_route_with_key_auth_never_serves_a_request_without_a_key(slow: Gateway, upstream: Upstream) -> None:
    site = Site(slow, upstream.address)
    wait_for(lambda: site.get().ok)
    slow.made("POST", f"/services/{site.name}/plugins", {"name": "key-auth"})
    wait_for(lambda: site.get().status_code == 401)  # plugins were applied just now, and routes are next
    kong = Kong()
    kong.configure({"adminUrl": slow.admin})
    host = f"{uuid4().hex}.example"
    address, _, port = upstream.address.partition(":")
    service, _ = made(EntityResource(kong, SERVICE), "KongService", {"host": address, "port": int(port)})
    seen = [404]
    stop = repeat(lambda: seen.append(slow.get(host).status_code))
    try:
        made(PluginResource(kong, PLUGIN), "KongPlugin", {"name": "key-auth", "service": service})
        made(RouteResource(kong, ROUTE), "KongRoute", {"service": service, "hosts": [host]})
        wait_for(lambda: seen[-1] == 401)
    finally:
        stop()
    assert set(seen) == {404, 401}


def repeat(call: Callable[[], object]) -> Callable[[], None]:
    """Repeat a call in a thread; return a function that stops it."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(0.01):
            call()

    thread = threading.Thread(target=run)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()

    return stop
