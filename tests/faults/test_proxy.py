"""The fault proxy itself: what it forwards, and what it does with a call for which a fault is armed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.faults.cells import fails_after, fails_before, times_out
from tests.faults.proxy import FaultProxy, connect
from tests.offline.peers import Upstream

BODY = b"x" * 300_000


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    proxy = FaultProxy(("127.0.0.1", 0), ("127.0.0.1", upstream.port))
    yield proxy
    proxy.close()


def call(proxy: FaultProxy, path: str = "/thing") -> requests.Response:
    return requests.post(f"http://127.0.0.1:{proxy.port}{path}", data=BODY, timeout=2)


def test_calls_pass_with_their_bodies_if_no_fault_is_armed(proxy: FaultProxy, upstream: Upstream) -> None:
    assert call(proxy).json() == {"name": upstream.name, "body": len(BODY)}
    assert proxy.calls == ["POST /thing"]


def test_a_chunked_answer_passes(proxy: FaultProxy, upstream: Upstream) -> None:
    assert len(call(proxy, "/stream").content) == upstream.chunks * len(upstream.chunk)


def test_a_refused_call_has_no_effect(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.arm("POST /thing", fails_before)
    assert call(proxy).status_code == 500
    assert upstream.seen == []
    assert call(proxy, "/other").status_code == 200


def test_a_call_with_a_dropped_answer_has_its_effect(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.arm("POST /thing", fails_after)
    with pytest.raises(requests.ConnectionError):
        call(proxy)
    assert len(upstream.asked("/thing")[0]["body"]) == len(BODY)


def test_a_held_call_gets_no_answer_and_has_no_effect(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.arm("POST /thing", times_out)
    with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
        call(proxy)
    assert upstream.seen == []


def test_a_fault_may_wait_for_another_call(proxy: FaultProxy) -> None:
    proxy.arm("POST /thing", fails_before, after="POST /first")
    assert call(proxy).status_code == 200
    call(proxy, "/first")
    assert call(proxy).status_code == 500
    assert proxy.hits == 1
    proxy.disarm()
    assert call(proxy).status_code == 200


def test_a_proxy_may_listen_on_a_unix_socket(upstream: Upstream, tmp_path: Path) -> None:
    proxy = FaultProxy(tmp_path / "socket", ("127.0.0.1", upstream.port))
    with connect(tmp_path / "socket") as client:
        client.sendall(b"GET /thing HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    proxy.close()
