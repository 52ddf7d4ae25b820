"""Upstreams and targets in the Admin API."""

import pytest

from tests.offline.peers import NO_ONE, Gateway, Json, refusal


def test_a_patch_of_healthchecks_merges_deeply(gateway: Gateway, name: str) -> None:
    gateway.made("PUT", f"/upstreams/{name}", {"healthchecks": {"active": {"http_path": "/h"}}})
    change = {"healthchecks": {"active": {"unhealthy": {"http_statuses": [500]}}}}
    active = gateway.made("PATCH", f"/upstreams/{name}", change)["healthchecks"]["active"]
    assert (active["http_path"], active["unhealthy"]["http_statuses"]) == ("/h", [500])
    assert active["unhealthy"]["interval"] == 0


@pytest.mark.parametrize("bad", ["127.0.0.1", "a:80", "a b", None])
def test_an_upstreams_name_must_be_a_hostname(gateway: Gateway, bad: str | None) -> None:
    assert refusal(gateway.call("POST", "/upstreams", {"name": bad}))[:2] == (400, 2)


def test_targets_are_created_by_post_alone(gateway: Gateway, name: str) -> None:
    upstream = gateway.made("PUT", f"/upstreams/{name}", {})
    path = f"/upstreams/{name}/targets"
    target = gateway.made("POST", path, {"target": "a"})
    assert (target["target"], target["weight"], target["upstream"]) == ("a:8000", 100, {"id": upstream["id"]})
    assert isinstance(target["created_at"], float)
    assert refusal(gateway.call("POST", path, {"target": "a:8000"}))[:2] == (409, 5)
    for key in (NO_ONE, "b:1"):
        assert gateway.call("PUT", f"{path}/{key}", {"target": "b:1"}).status_code == 404
        assert gateway.call("DELETE", f"{path}/{key}").status_code == 404
    assert gateway.made("PUT", f"{path}/a:8000", {"weight": 7})["id"] == target["id"]
    assert gateway.made("PATCH", f"{path}/{target['id']}", {"weight": 0})["weight"] == 0
    assert gateway.call("DELETE", f"/upstreams/{name}").status_code == 204
    assert gateway.made("PUT", f"/upstreams/{name}", {"id": upstream["id"]})["id"] == upstream["id"]
    assert gateway.call("GET", path).json() == {"data": [], "next": None}


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({"hash_on": "header"}, {"@entity", "hash_on_header"}),
        ({"hash_on": "ip", "hash_fallback": "cookie"}, {"@entity", "hash_on_cookie"}),
        ({"hash_on": "ip", "hash_fallback": "ip"}, {"@entity", "hash_fallback"}),
        ({"hash_fallback": "ip"}, {"@entity", "hash_fallback"}),
        ({"hash_on_header": "a", "hash_fallback_header": "a"}, {"@entity"}),
        ({"hash_on_cookie": "a=b"}, {"hash_on_cookie"}),
        ({"algorithm": "random"}, {"algorithm"}),
        ({"slots": None}, {"slots"}),
        ({"host_header": "1.2.3"}, {"host_header"}),
        ({"healthchecks": {"active": {"healthy": {"http_statuses": [99]}}}}, {"healthchecks"}),
    ],
)
def test_an_invalid_upstream_gets_its_errors(
    gateway: Gateway, name: str, body: dict[str, Json], faulty: set[str]
) -> None:
    status, code, fields = refusal(gateway.call("PUT", f"/upstreams/{name}", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


def test_hash_on_decides_the_algorithm(gateway: Gateway, name: str) -> None:
    def kept(method: str, **body: Json) -> tuple[Json, Json]:
        row = gateway.made(method, f"/upstreams/{name}", body)
        return row["algorithm"], row["hash_on"]

    assert kept("PUT", hash_on="ip") == ("consistent-hashing", "ip")
    assert kept("PATCH", algorithm="round-robin") == ("consistent-hashing", "ip")
    assert kept("PATCH", algorithm="latency") == ("latency", "none")
    assert kept("PATCH", slots=100) == ("latency", "none")
    assert kept("PUT", algorithm="least-connections", hash_on="ip") == ("least-connections", "none")
    assert kept("PUT", algorithm="consistent-hashing") == ("round-robin", "none")
    assert kept("PUT", algorithm=None) == ("round-robin", "none")


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        ("[::1]:80", "[0000:0000:0000:0000:0000:0000:0000:0001]:80"),
        ("FE80::1", "[fe80:0000:0000:0000:0000:0000:0000:0001]:8000"),
        ("010.0.0.1:80", "10.0.0.1:80"),
        ("A.example.:80", "A.example.:80"),
        ("[1.2.3.4]:80", None),
        ("[a]:80", None),
        ("1.2.3:80", None),
        ("256.1.1.1:80", None),
        ("a:65536", None),
        ("a-.b:80", None),
    ],
)
def test_a_target_is_stored_as_in_kong(gateway: Gateway, name: str, target: str, stored: str | None) -> None:
    gateway.made("PUT", f"/upstreams/{name}", {"host_header": "a.example:80"})
    answer = gateway.call("POST", f"/upstreams/{name}/targets", {"target": target})
    assert answer.json().get("target") == stored
