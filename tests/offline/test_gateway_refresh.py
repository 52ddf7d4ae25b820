"""When the proxy takes in what was written: routes and plugins each by a timer of its own, the rest at once."""

from collections.abc import Iterator

import pytest

from tests.offline.peers import Gateway, Site, Upstream, wait_until


@pytest.fixture(scope="module")
def slow() -> Iterator[Gateway]:
    gateway = Gateway("--worker-state-update-frequency", "1")
    yield gateway
    gateway.stop()


def guarded(site: Site) -> Site:
    site.gateway.made("POST", f"/services/{site.name}/plugins", {"name": "key-auth"})
    return site


def test_a_new_route_can_be_live_before_the_plugin_that_guards_it(slow: Gateway, upstream: Upstream) -> None:
    first = Site(slow, upstream.address)
    wait_until(lambda: first.get().ok)
    guarded(first)
    wait_until(lambda: first.get().status_code == 401)  # so plugins were taken in just now, and routes are next

    second, seen = guarded(Site(slow, upstream.address)), [404]
    while seen[-1] != 401:
        seen.append(second.get().status_code)
    assert list(dict.fromkeys(seen)) == [404, 200, 401]


def test_targets_are_taken_in_at_once_and_services_with_the_routes(
    slow: Gateway, upstream: Upstream, other: Upstream
) -> None:
    site = Site(slow, upstream.address)
    upstreams = site.balance(upstream.address)
    wait_until(lambda: site.get().ok)  # so routes were taken in just now
    slow.made("POST", f"{upstreams}/targets", {"target": other.address})
    site.change(path="/moved")
    assert {site.get().json()["name"] for _ in range(2)} == {upstream.name, other.name}
    assert upstream.seen[-1]["path"] == "/"
    wait_until(lambda: site.get().ok and upstream.seen[-1]["path"] == "/moved")
