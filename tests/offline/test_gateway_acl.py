"""Groups of consumers, and the plugin that admits some of them, as in Kong 3.9.3."""

from uuid import uuid4

import pytest

from tests.offline.peers import Gateway, Json, Site, Upstream


@pytest.fixture
def consumer(gateway: Gateway) -> dict[str, Json]:
    return gateway.made("POST", "/consumers", {"username": f"reader-{uuid4().hex[:8]}"})


def create_key(gateway: Gateway, consumer: dict[str, Json]) -> str:
    key: str = gateway.made("POST", f"/consumers/{consumer['id']}/key-auth", {})["key"]
    return key


def guard(site: Site, **acl: Json) -> None:
    for body in ({"name": "key-auth"}, {"name": "acl", "config": acl}):
        site.gateway.made("POST", f"/services/{site.name}/plugins", body)


def test_a_consumer_is_in_a_group_only_once(gateway: Gateway, consumer: dict[str, Json]) -> None:
    groups = f"/consumers/{consumer['username']}/acls"
    made = gateway.made("POST", groups, {"group": "readers"})
    assert made == {
        "id": made["id"],
        "created_at": made["created_at"],
        "consumer": {"id": consumer["id"]},
        "group": "readers",
        "tags": None,
    }
    again = gateway.call("POST", groups, {"group": "readers"})
    taken = {"consumer": {"id": consumer["id"]}, "group": "readers"}
    assert (again.status_code, again.json()["fields"]) == (409, taken)
    missing = gateway.call("POST", groups, {})
    assert (missing.status_code, missing.json()["fields"]) == (400, {"group": "required field missing"})
    for key in ("readers", made["id"]):
        assert gateway.call("GET", f"{groups}/{key}").json() == made
    other = gateway.made("POST", "/consumers", {"username": uuid4().hex})
    theirs = gateway.made("PUT", f"/consumers/{other['id']}/acls/readers", {})
    assert (theirs["group"], theirs["consumer"]) == ("readers", {"id": other["id"]})
    assert gateway.call("GET", f"/consumers/{other['id']}/acls/{made['id']}").status_code == 404
    assert made in gateway.call("GET", "/acls?size=1000").json()["data"]
    gateway.call("DELETE", f"/consumers/{consumer['id']}")
    assert gateway.call("GET", f"/acls/{made['id']}").status_code == 404


@pytest.mark.parametrize("config", [{}, {"allow": []}, {"allow": ["a"], "deny": ["b"]}])
def test_acl_allows_or_denies(gateway: Gateway, config: Json) -> None:
    answer = gateway.call("POST", "/plugins", {"name": "acl", "config": config})
    assert answer.status_code == 400
    assert (
        "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"
        in answer.json()["fields"]["@entity"]
    )


def test_acl_admits_members_of_a_group(site: Site, upstream: Upstream, consumer: dict[str, Json]) -> None:
    guard(site, allow=["readers"])
    key = create_key(site.gateway, consumer)
    assert site.get().json()["message"] == "No API key found in request"
    stranger = site.get(headers={"apikey": key})
    assert (stranger.status_code, stranger.json()["message"]) == (403, "You cannot consume this service")
    site.gateway.made("POST", f"/consumers/{consumer['id']}/acls", {"group": "others"})
    assert site.get(headers={"apikey": key}).status_code == 403
    site.gateway.made("POST", f"/consumers/{consumer['id']}/acls", {"group": "readers"})
    assert site.get(headers={"apikey": key}).status_code == 200
    groups = upstream.seen[-1]["headers"]["X-Consumer-Groups"]
    assert sorted(groups.split(", ")) == ["others", "readers"]


def test_acl_can_deny_a_group_and_hide_the_groups(
    site: Site, upstream: Upstream, consumer: dict[str, Json]
) -> None:
    guard(site, deny=["banned"], hide_groups_header=True)
    key = {"apikey": create_key(site.gateway, consumer)}
    assert site.get(headers=key).status_code == 200
    site.gateway.made("POST", f"/consumers/{consumer['id']}/acls", {"group": "readers"})
    assert site.get(headers=key).status_code == 200
    assert "X-Consumer-Groups" not in upstream.seen[-1]["headers"]
    site.gateway.made("POST", f"/consumers/{consumer['id']}/acls", {"group": "banned"})
    assert site.get(headers=key).status_code == 403


def test_acl_without_authentication_is_401(site: Site) -> None:
    site.gateway.made("POST", f"/services/{site.name}/plugins", {"name": "acl", "config": {"allow": ["a"]}})
    answer = site.get()
    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized")
