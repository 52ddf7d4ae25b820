"""Which target of an upstream gets a request."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from tests.offline.peers import Site, Upstream
from tests.ports import free_port
from tests.waiting import wait_for


def test_requests_are_distributed_by_weight(site: Site, upstream: Upstream, other: Upstream) -> None:
    targets = site.balance(upstream.address, other.address) + "/targets"
    site.gateway.made("PATCH", f"{targets}/{other.address}", {"weight": 300})
    names = Counter(site.get().json()["name"] for _ in range(40))
    assert names == {upstream.name: 10, other.name: 30}
    site.gateway.made("PATCH", f"{targets}/{other.address}", {"weight": 0})
    assert {site.get().json()["name"] for _ in range(10)} == {upstream.name}


def test_a_host_header_of_an_upstream_gets_the_targets_port(site: Site, upstream: Upstream) -> None:
    site.gateway.made("PATCH", site.balance(upstream.address), {"host_header": "inner.example"})
    site.get()
    assert upstream.seen[-1]["headers"]["Host"] == f"inner.example:{upstream.port}"


def test_an_upstream_without_targets_is_503(site: Site) -> None:
    site.balance()
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "failure to get a peer from the ring-balancer",
    )


def test_a_target_that_refuses_connections_is_skipped_for_every_method(site: Site, upstream: Upstream) -> None:
    site.balance(f"127.0.0.1:{free_port()}", upstream.address)
    assert {site.get(method="POST", data=b"x").status_code for _ in range(6)} == {200}


def test_a_target_whose_host_has_no_address_is_shown_and_skipped(site: Site, upstream: Upstream) -> None:
    path = site.balance("container.invalid:80", upstream.address)
    wait_for(lambda: {site.get().status_code for _ in range(4)} == {200})
    rows = site.gateway.call("GET", f"{path}/health").json()["data"]
    assert {row["target"]: row["health"] for row in rows} == {
        "container.invalid:80": "DNS_ERROR",
        upstream.address: "HEALTHCHECKS_OFF",
    }


@pytest.fixture
def watched(site: Site, upstream: Upstream, other: Upstream) -> Iterator[str]:
    unhealthy = {"interval": 0.1, "http_failures": 2, "tcp_failures": 1, "timeouts": 1}
    active = {"http_path": "/health", "timeout": 0.5, "healthy": {"interval": 0.1, "successes": 1}}
    path = site.balance(upstream.address, other.address, checks={"active": active | {"unhealthy": unhealthy}})
    yield path
    site.gateway.call("DELETE", path)


def test_an_unhealthy_target_gets_no_requests_until_it_recovers(
    site: Site, upstream: Upstream, other: Upstream, watched: str
) -> None:
    def serving() -> set[str]:
        return {site.get().json()["name"] for _ in range(4)}

    def health() -> set[str]:
        return {row["health"] for row in site.gateway.call("GET", f"{watched}/health").json()["data"]}

    assert (serving(), health()) == ({upstream.name, other.name}, {"HEALTHY"})
    other.health = 503
    wait_for(lambda: serving() == {upstream.name})
    assert health() == {"HEALTHY", "UNHEALTHY"}
    upstream.health = 503
    wait_for(lambda: site.get().status_code == 503)
    upstream.health = other.health = 200
    wait_for(lambda: serving() == {upstream.name, other.name} if site.get().ok else False)


@pytest.mark.usefixtures("watched")
def test_a_dead_target_is_detected(site: Site, other: Upstream) -> None:
    other.stop()
    site.change(retries=0)
    wait_for(lambda: {site.get().status_code for _ in range(4)} == {200})
    revived = Upstream(other.port)
    wait_for(lambda: revived.asked("/") and revived.name in {site.get().json()["name"] for _ in range(4)})
    revived.stop()


def test_passive_checks_exclude_a_target_that_responds_with_errors(
    site: Site, upstream: Upstream, other: Upstream
) -> None:
    checks = {"passive": {"unhealthy": {"http_failures": 2}}}
    site.balance(upstream.address, other.address, checks=checks)
    upstream_or_other = [site.get("/status/500") for _ in range(4)]
    assert {answer.status_code for answer in upstream_or_other} == {500}
    assert site.get().status_code == 503


def test_a_removed_target_finishes_its_requests(site: Site, upstream: Upstream, other: Upstream) -> None:
    targets = site.balance(upstream.address) + "/targets"
    answers: list[requests.Response] = []
    slow = threading.Thread(
        target=lambda: answers.append(
            requests.get(f"{site.gateway.proxy}/slow", headers={"Host": site.host}, timeout=5)
        )
    )
    slow.start()
    wait_for(lambda: upstream.asked("/slow"))
    site.gateway.made("POST", targets, {"target": other.address})
    site.gateway.call("DELETE", f"{targets}/{upstream.address}")
    assert {site.get().json()["name"] for _ in range(4)} == {other.name}
    slow.join()
    assert (answers[0].status_code, answers[0].text) == (200, "slow")
