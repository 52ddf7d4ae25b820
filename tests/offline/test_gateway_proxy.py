"""What a client of the proxy sees."""

import contextlib
import http.client
import socket
import threading
import time

import pytest
import requests

from tests.offline.peers import Gateway, Site, Upstream
from tests.waiting import wait_for


def test_an_upstreams_response_keeps_its_headers(site: Site) -> None:
    answer = site.get("/status/418")
    assert (answer.status_code, answer.text) == (418, "the upstream says so")
    assert answer.headers["Server"].startswith("BaseHTTP")
    assert answer.headers["Via"] == "1.1 kong/3.9.3"
    assert {"X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "X-Kong-Request-Id"} <= answer.headers.keys()
    assert "Content-Type" not in answer.headers


def test_the_upstream_gets_headers_about_the_client(site: Site, upstream: Upstream) -> None:
    site.get("/a/b?c=%20d", headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "forged", "X-Own": "1"})
    seen = upstream.seen[-1]
    assert seen["path"] == "/a/b?c=%20d"
    assert seen["headers"]["Host"] == upstream.address
    assert seen["headers"]["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
    assert seen["headers"]["X-Forwarded-Host"] == site.host
    assert seen["headers"]["X-Forwarded-Proto"] == "http"
    assert seen["headers"]["X-Forwarded-Port"] == str(site.gateway.proxy_port)
    assert seen["headers"]["X-Forwarded-Path"] == "/a/b"
    assert seen["headers"]["X-Real-IP"] == "127.0.0.1"
    assert seen["headers"]["X-Own"] == "1"
    assert seen["headers"]["Via"] == "1.1 kong/3.9.3"


def test_hop_by_hop_headers_are_not_forwarded(site: Site, upstream: Upstream) -> None:
    answer = site.get("/twice", headers={"Connection": "X-Hop", "X-Hop": "1", "TE": "trailers"})
    assert not {"X-Hop", "TE"} & set(upstream.seen[-1]["headers"].keys())
    assert "Keep-Alive" not in answer.headers
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


def test_hosts_match_by_case_without_port_and_by_wildcard(gateway: Gateway, upstream: Upstream) -> None:
    site = Site(gateway, upstream.address)
    site.reroute(hosts=[site.host, f"*.{site.host}", f"to.{site.name}.*"])
    expected = {
        site.host: 200,
        f"{site.host}:9999": 200,
        site.host.upper(): 404,
        f"{site.host}.": 404,
        f"deep.{site.host}": 200,
        f"to.{site.name}.org": 200,
        f"x{site.host}": 404,
    }
    assert {host: gateway.get(host).status_code for host in expected} == expected


def test_the_longest_path_matches_and_is_stripped(gateway: Gateway, upstream: Upstream, other: Upstream) -> None:
    short, long = Site(gateway, upstream.address), Site(gateway, other.address)
    short.reroute(paths=["/api"])
    long.reroute(hosts=[short.host], paths=["/api/v2"])
    assert [short.get(path).json()["name"] for path in ("/api/v1", "/api/v2/x")] == [
        upstream.name,
        other.name,
    ]
    assert upstream.seen[-1]["path"] == "/v1"
    assert other.seen[-1]["path"] == "/x"
    assert other.seen[-1]["headers"]["X-Forwarded-Prefix"] == "/api/v2"
    long.reroute(strip_path=False)
    short.get("/api/v2/x")
    assert other.seen[-1]["path"] == "/api/v2/x"
    assert short.get("/elsewhere").status_code == 404


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("/", "/base"), ("/x", "/base/x"), ("/x/", "/base/x/"), ("/?q=1", "/base?q=1"), ("//x", "/base/x")],
)
def test_the_services_path_is_prepended(site: Site, upstream: Upstream, asked: str, sent: str) -> None:
    site.change(path="/base")
    site.get(asked)
    assert upstream.seen[-1]["path"] == sent


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/api", "/base"),
        ("/api/", "/base/"),
        ("/api/x", "/base/x"),
        ("/apix", "/base/x"),
        ("/api?q", "/base?q"),
    ],
)
def test_a_stripped_path_joins_the_services(site: Site, upstream: Upstream, asked: str, sent: str) -> None:
    site.change(path="/base")
    site.reroute(paths=["/api"])
    site.get(asked)
    assert upstream.seen[-1]["path"] == sent


def test_another_method_does_not_match(site: Site) -> None:
    site.reroute(methods=["POST"])
    assert site.get().status_code == 404
    assert site.get(method="POST").status_code == 200


def test_preserve_host_keeps_the_clients_host(site: Site, upstream: Upstream) -> None:
    site.reroute(preserve_host=True)
    site.get()
    assert upstream.seen[-1]["headers"]["Host"] == site.host


def test_a_hanging_upstream_is_504_after_the_services_timeout(site: Site) -> None:
    site.change(read_timeout=200, retries=0)
    began = time.monotonic()
    answer = site.get("/hang")
    assert (answer.status_code, answer.json()["message"]) == (504, "The upstream server is timing out")
    assert time.monotonic() - began < 1


def test_an_upstream_that_stops_reading_a_body_is_504(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        site = Site(gateway, f"127.0.0.1:{deaf.getsockname()[1]}")
        site.change(write_timeout=200, read_timeout=300, retries=0)
        answer = site.get(method="POST", data=b"x" * 20_000_000)
    assert answer.status_code == 504


def test_a_response_that_breaks_off_also_breaks_off_for_the_client(site: Site) -> None:
    began = time.monotonic()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        site.get("/cut")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_forwarded_unchanged(site: Site, upstream: Upstream, chunked: bool) -> None:
    body = bytes(range(256)) * 8192
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    assert site.get("/echo", method="PUT", data=pieces if chunked else body).json()["body"] == len(body)
    assert upstream.seen[-1]["body"] == body


def test_an_upstream_may_respond_before_it_has_the_whole_body(site: Site, upstream: Upstream) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", site.gateway.proxy_port, timeout=5)) as client:
        client.putrequest("POST", "/early", skip_host=True)
        client.putheader("Host", site.host)
        client.putheader("Content-Length", "10")
        client.endheaders(b"first")
        answer = client.getresponse()
        assert answer.read(5) == b"early"
        client.send(b"later")
        assert answer.read() == b"later"
    assert upstream.seen[-1]["body"] == b"firstlater"


def test_a_stream_is_forwarded_as_it_is_sent(site: Site, upstream: Upstream) -> None:
    upstream.pause = 0.05
    with site.get("/stream", stream=True) as answer:
        pieces = answer.iter_content(1000)
        first = next(pieces)
        assert upstream.sent < upstream.chunks
        assert first + b"".join(pieces) == upstream.chunk * upstream.chunks


def test_encoded_content_is_unchanged(site: Site) -> None:
    with site.get("/zipped", stream=True) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.raw.read(decode_content=False) == b"not really zipped"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "unknown"])
def test_an_encoded_body_is_forwarded_unchanged(site: Site, upstream: Upstream, encoding: str) -> None:
    response = site.get(
        "/encoded", method="PUT", data=b"not really encoded", headers={"Content-Encoding": encoding}
    )
    assert response.status_code == 200
    [asked] = upstream.asked("/encoded")
    assert (asked["body"], asked["headers"]["Content-Encoding"]) == (b"not really encoded", encoding)


def test_responses_without_a_body_stay_without(site: Site) -> None:
    head = site.get("/", method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    for status in (204, 304):
        answer = site.get(f"/status/{status}")
        assert (answer.status_code, answer.content) == (status, b"")
    assert site.get("/status/200").text == "the upstream says so"


def test_a_client_that_disconnects_cancels_its_upstream_request(site: Site, upstream: Upstream) -> None:
    upstream.chunks, upstream.pause, upstream.chunk = 200, 0.02, b"x" * 200_000
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", site.gateway.proxy_port)) as client:
        client.request("GET", "/stream", headers={"Host": site.host})
        client.getresponse().read(10)
    time.sleep(0.4)
    sent = upstream.sent
    time.sleep(0.3)
    assert upstream.sent <= sent + 1 < upstream.chunks


def test_a_client_that_disconnects_before_the_response_cancels_it_too(site: Site, upstream: Upstream) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", site.gateway.proxy_port)) as client:
        client.request("GET", "/hang", headers={"Host": site.host})
        wait_for(lambda: upstream.asked("/hang"))
        assert not upstream.left
    wait_for(lambda: upstream.left, 2)


def test_a_closed_pooled_connection_fails_no_request(site: Site, upstream: Upstream) -> None:
    for method in ("GET", "PUT", "POST") * 5:
        assert site.get(method=method, data=b"context").status_code == 200
        upstream.hang_up()


def test_a_body_is_sent_again_in_full_after_a_lost_connection(site: Site, upstream: Upstream) -> None:
    rude = socket.create_server(("127.0.0.1", 0))

    def leave_once_the_request_is_read() -> None:
        connection, _ = rude.accept()
        rude.close()
        with connection:
            while b"all of it" not in connection.recv(65536):
                pass

    leaving = threading.Thread(target=leave_once_the_request_is_read)
    leaving.start()
    site.balance(f"127.0.0.1:{rude.getsockname()[1]}", upstream.address)
    for _ in range(2):  # one of the two goes to the rude one first
        assert site.get(method="PUT", data=b"all of it").status_code == 200
    leaving.join()
    assert [request["body"] for request in upstream.seen] == [b"all of it"] * 2
