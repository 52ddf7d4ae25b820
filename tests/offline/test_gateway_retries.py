"""Which requests are retried, where, and how often."""

import contextlib
import socket
from collections.abc import Iterator

from tests.offline.peers import Site, Upstream
from tests.ports import free_port


def test_a_connection_closed_early_is_502_and_a_post_is_sent_once(site: Site, upstream: Upstream) -> None:
    assert site.get("/close", method="POST", data=b"x").status_code == 502
    assert len(upstream.asked("/close")) == 1
    site.change(retries=2)
    assert site.get("/close").status_code == 502
    assert len(upstream.asked("/close")) == 1 + 3


def test_a_retry_takes_the_next_turn_even_of_the_same_target(site: Site, upstream: Upstream) -> None:
    dead = f"127.0.0.1:{free_port()}"
    targets = site.balance(dead, upstream.address) + "/targets"
    site.gateway.made("PATCH", f"{targets}/{dead}", {"weight": 60000})
    site.change(retries=1)
    assert {site.get().status_code for _ in range(5)} == {502}


@contextlib.contextmanager
def silent_address() -> Iterator[str]:
    """Yield an address that neither accepts nor refuses a connection, like a host that is switched off."""
    with contextlib.ExitStack() as full, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(8):
            waiting = full.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_a_silent_address_costs_connect_timeout_until_two_requests_have_met_it(
    site: Site, upstream: Upstream
) -> None:
    with silent_address() as silent:
        checks = {"passive": {"unhealthy": {"timeouts": 2}}}
        path = site.balance(silent, upstream.address, checks=checks)
        site.change(connect_timeout=100, retries=1)
        assert {site.get(method="POST", data=b"x").status_code for _ in range(6)} == {200}
        health = site.gateway.call("GET", f"{path}/health").json()["data"]
        assert {row["target"]: row["health"] for row in health} == {
            silent: "UNHEALTHY",
            upstream.address: "HEALTHY",
        }
        site.gateway.call("DELETE", f"{path}/targets/{upstream.address}")
        assert site.get().status_code == 503


def test_without_retries_a_request_is_sent_once(site: Site, upstream: Upstream) -> None:
    site.balance(f"127.0.0.1:{free_port()}", upstream.address)
    site.change(retries=0)
    assert {site.get().status_code for _ in range(4)} == {200, 502}
