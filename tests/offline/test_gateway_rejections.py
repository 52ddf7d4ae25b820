"""Responses of the gateway itself."""

import re

import pytest

from tests.offline.peers import Gateway, Site, Upstream
from tests.ports import free_port


def test_a_request_without_a_route_is_404_as_in_kong(gateway: Gateway) -> None:
    answer = gateway.get("nobody.example")
    assert answer.status_code == 404
    assert answer.json()["message"] == "no Route matched with those values"
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
    assert answer.headers["X-Kong-Request-Id"] == answer.json()["request_id"]
    assert answer.headers["Server"] == "kong/3.9.3"
    assert "X-Kong-Response-Latency" in answer.headers
    assert "\n" in answer.text


@pytest.mark.parametrize("path", ["/a%2", "/a%zz", "/%00", "/../a", "/a/../../b", "/%2e%2e/a", "/..%2fa"])
def test_an_invalid_path_is_400(site: Site, upstream: Upstream, path: str) -> None:
    assert site.gateway.raw(site.host, path)[0].status == 400
    assert upstream.seen == []


def test_a_url_as_the_path_is_split(site: Site, upstream: Upstream) -> None:
    assert site.gateway.raw(site.host, f"http://{site.host}/a?b")[0].status == 200
    assert (upstream.seen[-1]["path"], upstream.seen[-1]["headers"]["X-Forwarded-Path"]) == ("/a?b", "/a")


def test_a_route_for_https_alone_rejects_or_redirects_plain_http(site: Site) -> None:
    site.reroute(protocols=["https"])
    answer = site.get("/a?b=c")
    assert (answer.status_code, answer.json()["message"]) == (426, "Please use HTTPS protocol")
    assert answer.headers["Upgrade"] == "TLS/1.2, HTTP/1.1"
    site.reroute(https_redirect_status_code=308)
    answer = site.gateway.get(f"{site.host}:8000", "/a?b=c", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{site.host}/a?b=c")


def test_routes_of_a_disabled_service_are_404(site: Site) -> None:
    site.change(enabled=False)
    assert site.get().status_code == 404


def test_a_route_without_service_is_503(site: Site) -> None:
    site.reroute(service=None)
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (503, "no Service found with those values")


def test_an_unknown_host_is_503(site: Site) -> None:
    site.change(host="no-such-host.invalid")
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (503, "name resolution failed")


def test_a_refused_connection_is_502(site: Site) -> None:
    site.change(port=free_port())
    answer = site.get()
    assert answer.status_code == 502
    assert answer.json()["message"] == "An invalid response was received from the upstream server"
    assert answer.headers["Via"] == "1.1 kong/3.9.3"
