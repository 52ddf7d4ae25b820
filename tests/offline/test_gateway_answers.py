"""What the gateway answers by itself, and in which form."""

import re

import pytest

from tests.offline.peers import Gateway, Site, Upstream
from tests.ports import free_port


def test_a_request_without_a_route_is_404_in_kongs_words(gateway: Gateway) -> None:
    answer = gateway.get("nobody.example")
    assert answer.status_code == 404
    assert answer.json()["message"] == "no Route matched with those values"
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
    assert answer.headers["X-Kong-Request-Id"] == answer.json()["request_id"]
    assert answer.headers["Server"] == "kong/3.9.3"
    assert "X-Kong-Response-Latency" in answer.headers
    assert "\n" in answer.text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("text/plain", "text/plain"),
        ("application/xml", "application/xml"),
        ("application/json;q=0.1, text/html", "text/html"),
        ("text/html,application/json;q=0.9", "text/html"),
        ("image/png", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_an_error_comes_in_the_form_the_client_likes_best(gateway: Gateway, accept: str, kind: str) -> None:
    answer = gateway.get("nobody.example", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(kind)
    assert "no Route matched" in answer.text


def test_what_nginx_answers_is_plain_text_to_who_accepts_nothing(site: Site, gateway: Gateway) -> None:
    site.change(port=free_port())
    for target in ("/", "/a%2"):
        assert gateway.raw(site.host, target)[0].headers["Content-Type"] == "text/plain; charset=utf-8"
    assert gateway.raw(site.host, "/", ("Content-Type", "text/html"))[1].startswith("<!doctype html>")
    assert gateway.raw("nobody.example", "/")[0].headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("path", ["/a%2", "/a%zz", "/%00", "/../a", "/a/../../b", "/%2e%2e/a", "/..%2fa"])
def test_a_path_that_is_none_is_400(site: Site, upstream: Upstream, path: str) -> None:
    assert site.gateway.raw(site.host, path)[0].status == 400
    assert upstream.seen == []


def test_a_whole_url_as_the_path_is_taken_apart(site: Site, upstream: Upstream) -> None:
    assert site.gateway.raw(site.host, f"http://{site.host}/a?b")[0].status == 200
    assert (upstream.seen[-1]["path"], upstream.seen[-1]["headers"]["X-Forwarded-Path"]) == ("/a?b", "/a")


def test_https_only_routes_answer_plain_http_as_told(site: Site) -> None:
    site.reroute(protocols=["https"])
    answer = site.get("/a?b=c")
    assert (answer.status_code, answer.json()["message"]) == (426, "Please use HTTPS protocol")
    assert answer.headers["Upgrade"] == "TLS/1.2, HTTP/1.1"
    site.reroute(https_redirect_status_code=308)
    answer = site.gateway.get(f"{site.host}:8000", "/a?b=c", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{site.host}/a?b=c")
    assert (answer.headers["Content-Type"], "308 Permanent Redirect" in answer.text) == ("text/html", True)


def test_a_disabled_services_routes_vanish(site: Site) -> None:
    site.change(enabled=False)
    assert site.get().status_code == 404


def test_a_route_without_service_is_503(site: Site) -> None:
    site.reroute(service=None)
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (503, "no Service found with those values")


def test_a_host_nobody_knows_is_503(site: Site) -> None:
    site.change(host="no-such-host.invalid")
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (503, "name resolution failed")


def test_a_refused_connection_is_502(site: Site) -> None:
    site.change(port=free_port())
    answer = site.get()
    assert answer.status_code == 502
    assert answer.json()["message"] == "An invalid response was received from the upstream server"
    assert answer.headers["Via"] == "1.1 kong/3.9.3"
