"""The plugin cors: what a browser gets for a preflight request, and with a response."""

import pytest

from tests.offline.peers import Json, Site, Upstream

APP, OTHER = "https://app.example", "https://other.example"


def enable(site: Site, name: str, **config: Json) -> None:
    site.gateway.made("POST", f"/services/{site.name}/plugins", {"name": name, "config": config})


def preflight(site: Site, origin: str, **headers: str) -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT", **headers}
    answer = site.get(method="OPTIONS", headers=asked)
    assert (answer.status_code, answer.content) == (200, b"")
    return {name.lower(): value for name, value in answer.headers.items()}


def test_a_preflight_is_answered_without_a_key_and_without_the_upstream(site: Site, upstream: Upstream) -> None:
    enable(site, "key-auth")
    enable(site, "cors", origins=[APP, OTHER], methods=["GET", "PUT"], max_age=600)
    headers = preflight(site, OTHER, **{"Access-Control-Request-Headers": "apikey,if-match"})
    assert headers["access-control-allow-origin"] == OTHER
    assert headers["access-control-allow-methods"] == "GET,PUT"
    assert headers["access-control-allow-headers"] == "apikey,if-match"
    assert headers["access-control-max-age"] == "600"
    assert headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in preflight(site, "https://app.example.evil.example")
    assert upstream.seen == []


def test_a_response_and_a_rejection_have_the_origin(site: Site) -> None:
    enable(site, "cors", origins=[APP, OTHER], exposed_headers=["ETag", "Link"])
    answer = site.get(headers={"Origin": APP})
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Link"
    enable(site, "key-auth")
    rejected = site.get(headers={"Origin": APP})
    assert (rejected.status_code, rejected.headers["Access-Control-Allow-Origin"]) == (401, APP)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (["*"], APP, "*"),
        ([APP], OTHER, APP),  # the browser compares
        ([APP, OTHER], f"{APP}:443", APP),
        ([APP, OTHER], "null", None),
        ([r".*\.example", APP], "https://a.example:8443", "https://a.example:8443"),
        ([r"https://.*\.example", APP], "http://a.example", None),
    ],
)
def test_an_origin_is_matched_as_kong_does(
    site: Site, origins: list[str], origin: str, allowed: str | None
) -> None:
    enable(site, "cors", origins=origins)
    assert preflight(site, origin).get("access-control-allow-origin") == allowed


def test_credentials_name_the_origin(site: Site) -> None:
    enable(site, "cors", credentials=True)
    headers = preflight(site, APP)
    assert headers["access-control-allow-origin"] == APP
    assert headers["access-control-allow-credentials"] == "true"


def test_an_options_request_that_is_no_preflight_is_forwarded(site: Site, upstream: Upstream) -> None:
    enable(site, "cors")
    assert site.get(method="OPTIONS").headers["Access-Control-Allow-Origin"] == "*"
    assert len(upstream.seen) == 1
