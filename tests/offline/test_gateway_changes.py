"""When the proxy applies changes: routes and plugins each by a timer, everything else at once."""

from collections.abc import Iterator

import pytest

from tests.offline.peers import Gateway, Site, Upstream
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def slow() -> Iterator[Gateway]:
    gateway = Gateway("--worker-state-update-frequency", "1")
    yield gateway
    gateway.stop()


def guard(site: Site) -> Site:
    site.gateway.made("POST", f"/services/{site.name}/plugins", {"name": "key-auth"})
    return site


def test_a_new_route_can_be_live_before_the_plugin_that_guards_it(slow: Gateway, upstream: Upstream) -> None:
    first = Site(slow, upstream.address)
    wait_for(lambda: first.get().ok)
    guard(first)
    wait_for(lambda: first.get().status_code == 401)  # so plugins were just applied, and routes are next

    second, seen = guard(Site(slow, upstream.address)), [404]
    while seen[-1] != 401:
        seen.append(second.get().status_code)
    assert list(dict.fromkeys(seen)) == [404, 200, 401]


def test_targets_apply_at_once_and_services_with_the_routes(
    slow: Gateway, upstream: Upstream, other: Upstream
) -> None:
    site = Site(slow, upstream.address)
    upstreams = site.balance(upstream.address)
    wait_for(lambda: site.get().ok)  # so routes were just applied
    slow.made("POST", f"{upstreams}/targets", {"target": other.address})
    site.change(path="/moved")
    assert {site.get().json()["name"] for _ in range(2)} == {upstream.name, other.name}
    assert upstream.seen[-1]["path"] == "/"
    wait_for(lambda: site.get().ok and upstream.seen[-1]["path"] == "/moved")
