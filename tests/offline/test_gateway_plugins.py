"""What the plugins do with a request."""

import json
from uuid import uuid4

import pytest

from tests.offline.peers import Gateway, Json, Site, Upstream


def enable(site: Site, name: str, **config: Json) -> dict[str, Json]:
    return site.gateway.made("POST", f"/services/{site.name}/plugins", {"name": name, "config": config})


def consumer(gateway: Gateway) -> tuple[dict[str, Json], str]:
    row = gateway.made("PUT", f"/consumers/reader-{uuid4().hex[:8]}", {"custom_id": uuid4().hex})
    key: str = gateway.made("POST", f"/consumers/{row['id']}/key-auth", {})["key"]
    return row, key


def test_key_auth_admits_only_known_keys(site: Site, upstream: Upstream) -> None:
    enable(site, "key-auth")
    reader, key = consumer(site.gateway)
    none, wrong = site.get(), site.get(headers={"apikey": "wrong"})
    assert (none.status_code, none.json()["message"]) == (401, "No API key found in request")
    assert none.headers["WWW-Authenticate"] == "Key"
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Unauthorized")
    assert upstream.seen == []
    assert site.get(f"/?apikey={key}").status_code == 200
    assert site.get(headers={"apikey": key, "X-Consumer-Username": "forged"}).status_code == 200
    seen = upstream.seen[-1]["headers"]
    assert seen["X-Consumer-ID"] == reader["id"]
    assert seen["X-Consumer-Username"] == reader["username"]
    assert seen["X-Consumer-Custom-ID"] == reader["custom_id"]
    assert seen["X-Credential-Identifier"]
    assert seen["apikey"] == key


def test_key_auth_can_hide_the_key_from_the_upstream(site: Site, upstream: Upstream) -> None:
    enable(site, "key-auth", hide_credentials=True)
    _, key = consumer(site.gateway)
    assert site.get("/?a=1", headers={"apikey": key}).status_code == 200
    assert site.get(f"/?a=1&apikey={key}").status_code == 200
    assert [request["path"] for request in upstream.seen] == ["/?a=1"] * 2
    assert not any("apikey" in request["headers"] for request in upstream.seen)


def test_rate_limiting_counts_by_consumer_and_shows_what_remains(site: Site) -> None:
    enable(site, "key-auth")
    enable(site, "rate-limiting", hour=2)
    keys = [consumer(site.gateway)[1] for _ in range(2)]
    first, second, third = (site.get(headers={"apikey": keys[0]}) for _ in range(3))
    assert first.headers["X-RateLimit-Limit-Hour"] == first.headers["RateLimit-Limit"] == "2"
    assert [answer.headers["RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
    assert (third.status_code, third.json()["message"]) == (429, "API rate limit exceeded")
    assert 0 < int(third.headers["Retry-After"]) <= 3600
    assert third.headers["Retry-After"] == third.headers["RateLimit-Reset"]
    assert site.get(headers={"apikey": keys[1]}).status_code == 200


def test_the_narrowest_scope_of_a_plugin_takes_precedence(site: Site) -> None:
    enable(site, "rate-limiting", hour=1, limit_by="ip")
    body = {"name": "rate-limiting", "config": {"hour": 100}}
    row = site.gateway.made("POST", f"/routes/{site.name}/plugins", body)
    assert [site.get().status_code for _ in range(3)] == [200] * 3
    site.gateway.made("PATCH", f"/plugins/{row['id']}", {"enabled": False})
    assert [site.get().status_code for _ in range(2)] == [200, 429]


def test_a_global_plugin_applies_to_every_route(site: Site) -> None:
    row = site.gateway.made("POST", "/plugins", {"name": "key-auth"})
    assert site.get().status_code == 401
    site.gateway.call("DELETE", f"/plugins/{row['id']}")
    assert site.get().status_code == 200


def test_request_size_limiting_rejects_large_bodies(site: Site, upstream: Upstream) -> None:
    enable(site, "request-size-limiting", allowed_payload_size=1, size_unit="kilobytes")
    assert site.get(method="POST", data=b"x" * 1024).status_code == 200
    upstream.seen.clear()
    answer = site.get(method="POST", data=b"x" * 1025)
    assert (answer.status_code, answer.json()["message"]) == (413, "Request size limit exceeded")
    assert site.get(method="POST", data=iter([b"x" * 1000] * 2)).status_code == 413
    assert upstream.seen == []


def test_correlation_ids_are_generated_once_and_echoed(site: Site, upstream: Upstream) -> None:
    enable(site, "correlation-id", echo_downstream=True, header_name="X-Trace")
    answers = [site.get(), site.get(), site.get(headers={"X-Trace": "mine"})]
    echoed = [answer.headers["X-Trace"] for answer in answers]
    assert echoed == [request["headers"]["X-Trace"] for request in upstream.seen]
    assert len(set(echoed)) == 3
    assert echoed[2] == "mine"


def test_a_duplicate_key_is_rejected(site: Site, upstream: Upstream) -> None:
    enable(site, "key-auth")
    _, key = consumer(site.gateway)
    for target, headers in ((f"/?apikey={key}&apikey={key}", ()), ("/", (("apikey", key), ("apikey", key)))):
        answer, text = site.gateway.raw(site.host, target, *headers)
        assert (answer.status, json.loads(text)["message"]) == (401, "Duplicate API key found")
    assert upstream.seen == []


def test_a_client_without_a_key_can_be_an_anonymous_consumer(site: Site, upstream: Upstream) -> None:
    reader, _ = consumer(site.gateway)
    enable(site, "key-auth", anonymous=reader["username"])
    assert site.get(headers={"apikey": "wrong"}).status_code == 200
    seen = upstream.seen[-1]["headers"]
    assert (seen["X-Consumer-ID"], seen["X-Anonymous-Consumer"]) == (reader["id"], "true")


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"deny": ["127.0.0.0/8"]}, 403),
        ({"allow": ["10.0.0.0/8", "127.0.0.1"]}, 200),
        ({"allow": ["127.0.0.1"], "deny": ["127.0.0.1"]}, 403),
        ({"allow": ["::1"], "status": 404, "message": "no"}, 404),
    ],
)
def test_ip_restriction_rejects_addresses(site: Site, config: dict[str, Json], status: int) -> None:
    enable(site, "ip-restriction", **config)
    answer = site.get(headers={"X-Forwarded-For": "10.0.0.1"})
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["message"] == config.get("message", "IP address not allowed: 127.0.0.1")


def test_a_rejected_request_has_a_correlation_id_too(site: Site, upstream: Upstream) -> None:
    enable(site, "key-auth")
    enable(site, "correlation-id", echo_downstream=True, header_name="X-Trace")
    assert site.get(headers={"X-Trace": "mine"}).headers["X-Trace"] == "mine"
    _, key = consumer(site.gateway)
    site.gateway.raw(site.host, "/", ("X-Trace", "a"), ("X-Trace", "b"), ("apikey", key))
    assert upstream.seen[-1]["headers"].get_all("X-Trace") == ["a", "b"]
