"""Responses of the Admin API, as in Kong 3.9.3."""

import concurrent.futures
import itertools
from uuid import uuid4

import pytest
import requests

from tests.offline.peers import NO_ONE, Gateway, Json, refusal


def test_a_service_has_all_fields_with_their_defaults(service: dict[str, Json], name: str) -> None:
    made = {"id", "created_at", "updated_at"}
    assert isinstance(service["created_at"], int)
    timeouts = dict.fromkeys(("connect_timeout", "write_timeout", "read_timeout"), 60000)
    unset = dict.fromkeys(("tags", "client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates"))
    assert {field: value for field, value in service.items() if field not in made} == timeouts | unset | {
        "name": name, "protocol": "http", "host": "a", "port": 8080, "path": "/base", "retries": 5,
        "enabled": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("http://h", ("http", "h", 80, None)),
        ("https://h/", ("https", "h", 443, "/")),
        ("http://user:pw@H.x:81/a?q#f", ("http", "H.x", 81, "/a")),
        ("http://[::1]:8080", ("http", "::1", 8080, None)),
    ],
)
def test_a_url_sets_four_fields(gateway: Gateway, name: str, url: str, stored: tuple[Json, ...]) -> None:
    row = gateway.made("PUT", f"/services/{name}", {"url": url, "host": "other", "port": 9})
    assert (row["protocol"], row["host"], row["port"], row["path"]) == stored
    assert "url" not in row


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({}, {"host"}),
        ({"url": "ftp://h"}, {"protocol"}),
        ({"url": "not a url"}, {"host", "path"}),
        ({"url": None}, {"url"}),
        ({"url": 5}, {"url"}),
        ({"host": "a:80"}, {"host"}),
        ({"host": "a", "port": 65536}, {"port"}),
        ({"host": "a", "port": "80"}, {"port"}),
        ({"host": "a", "port": True}, {"port"}),
        ({"host": "a", "retries": -1}, {"retries"}),
        ({"host": "a", "retries": 32768}, {"retries"}),
        ({"host": "a", "read_timeout": 0}, {"read_timeout"}),
        ({"host": "a", "read_timeout": 2**31 - 1}, {"read_timeout"}),
        ({"host": "a", "path": "x"}, {"path"}),
        ({"host": "a", "path": "/a//b"}, {"path"}),
        ({"host": "a", "path": "/a b"}, {"path"}),
        ({"host": "a", "protocol": None}, {"protocol"}),
        ({"host": "a", "protocol": "tcp", "path": "/x"}, {"@entity", "path"}),
        ({"host": "a", "tls_verify": True}, {"@entity", "tls_verify"}),
        ({"host": "a", "tags": ["a/b"]}, {"tags"}),
        ({"host": "a", "tags": "a"}, {"tags"}),
        ({"host": "a", "enabled": "yes"}, {"enabled"}),
        ({"host": "a", "id": "x"}, {"id"}),
        ({"name": "a b", "port": -1, "foo": 1}, {"name", "port", "foo", "host"}),
    ],
)
def test_an_invalid_service_gets_every_error(gateway: Gateway, body: dict[str, Json], faulty: set[str]) -> None:
    status, code, fields = refusal(gateway.call("POST", "/services", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


def test_errors_are_counted_and_sorted_in_the_message(gateway: Gateway) -> None:
    answer = gateway.call("POST", "/services", {"host": "a", "port": -1, "foo": 1, "tags": ["ok", "a,b"]}).json()
    assert answer["name"] == "schema violation"
    assert answer["message"].startswith(
        "3 schema violations (foo: unknown field; port: value should be between 0 and"
    )
    assert "tags.2: invalid tag 'a,b'" in answer["message"]
    assert answer["fields"]["tags"][0] is None


def test_put_creates_and_replaces_with_200(gateway: Gateway, name: str) -> None:
    first = gateway.call("PUT", f"/services/{name}", {"host": "a", "retries": 2, "tags": ["x"], "name": "ignored"})
    again = gateway.call("PUT", f"/services/{name}", {"host": "b", "id": NO_ONE})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["id"] == first.json()["id"]
    assert (again.json()["name"], again.json()["retries"], again.json()["tags"]) == (name, 5, None)


def test_put_by_id_uses_that_id(gateway: Gateway, name: str) -> None:
    own = str(uuid4())
    assert gateway.made("PUT", f"/services/{own}", {"host": "a", "name": name, "id": NO_ONE})["id"] == own
    assert gateway.call("GET", f"/services/{name}").json()["id"] == own
    assert gateway.call("GET", f"/services/{NO_ONE}").status_code == 404


def test_a_name_is_unique(gateway: Gateway, service: dict[str, Json], name: str) -> None:
    for method, path in (("POST", "/services"), ("PUT", f"/services/{uuid4()}")):
        answer = gateway.call(method, path, {"host": "a", "name": name})
        assert refusal(answer) == (409, 5, {"name": name})
        assert answer.json()["message"] == f"UNIQUE violation detected on '{{name=\"{name}\"}}'"
    assert refusal(gateway.call("POST", "/services", {"host": "a", "id": service["id"]})) == (
        400, 3, {"id": service["id"]},
    )  # fmt: skip


def test_concurrent_creates_of_a_name_create_one(gateway: Gateway, name: str) -> None:
    def post(_: int) -> int:
        return requests.post(f"{gateway.admin}/services", json={"name": name, "host": "a"}, timeout=10).status_code

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(post, range(20))) == [201] + [409] * 19


def test_patch_merges_and_clears(gateway: Gateway, service: dict[str, Json]) -> None:
    path = f"/services/{service['id']}"
    assert gateway.made("PATCH", path, {"retries": None, "tags": ["a", "a"]})["tags"] == ["a"]
    row = gateway.made("PATCH", path, {"url": "https://b"})
    assert (row["host"], row["port"], row["path"], row["retries"]) == ("b", 443, None, None)
    assert gateway.made("PATCH", path, {})["id"] == service["id"]


def test_a_missing_row_is_404_and_its_delete_204(gateway: Gateway) -> None:
    assert gateway.call("GET", "/services/nobody").json() == {"message": "Not found"}
    assert refusal(gateway.call("PATCH", "/services/nobody", {})) == (404, 6, {"name": "nobody"})
    assert refusal(gateway.call("PATCH", f"/services/{NO_ONE}", {})) == (404, 6, {"id": NO_ONE})
    assert gateway.call("DELETE", "/services/nobody").status_code == 204
    assert gateway.call("GET", "/services/a%20b").json()["code"] == 10
    for path in ("/nothing", "/targets", "/services/nobody/routes", "/upstreams/nobody/targets/a:1"):
        answer = gateway.call("GET", path)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not found"})


def test_every_response_has_kongs_headers(gateway: Gateway) -> None:
    answer = gateway.call("GET", "/services/")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Server"] == "kong/3.9.3"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Kong-Admin-Latency" in answer.headers
    deleted = gateway.call("DELETE", "/services/nobody")
    assert deleted.content == b""
    assert "Content-Type" not in deleted.headers


def test_a_method_that_a_path_does_not_have_is_405(gateway: Gateway) -> None:
    wrong = gateway.call("PUT", "/services", {})
    assert (wrong.status_code, wrong.json()) == (405, {"message": "Method not allowed"})
    assert gateway.call("HEAD", "/services").status_code == 200


def test_a_body_that_is_not_json_is_refused(gateway: Gateway, name: str) -> None:
    def put(data: bytes | None, kind: str | None) -> requests.Response:
        return gateway.call("PUT", f"/services/{name}", data=data, headers={"Content-Type": kind} if kind else {})

    for broken in (b"{", b""):
        answer = put(broken, "application/json")
        assert (answer.status_code, answer.json()) == (400, {"message": "Cannot parse JSON body"})
    assert refusal(put(b"[]", "application/json")) == (400, 2, {"host": "required field missing"})
    assert refusal(put(None, None)) == (400, 2, {"host": "required field missing"})
    assert put(b"host=a", "text/plain").status_code == 415


def test_forms_are_converted_by_the_schema(gateway: Gateway, name: str) -> None:
    def put(kind: str, form: dict[str, Json]) -> dict[str, Json]:
        answer = gateway.call("PUT", f"/{kind}/{name}", data=form)
        assert answer.status_code == 200, answer.text
        row: dict[str, Json] = answer.json()
        return row

    row = put("services", {"host": "a", "port": "81", "enabled": "false", "tags[]": ["x", "y"], "retries": ""})
    assert (row["port"], row["enabled"], row["tags"], row["retries"]) == (81, False, ["x", "y"], None)
    route = put("routes", {"hosts": "a.x", "service.name": name})
    assert (route["hosts"], route["service"]) == (["a.x"], {"id": row["id"]})
    upstream = put("upstreams", {"healthchecks.active.healthy.interval": "5"})
    assert upstream["healthchecks"]["active"]["healthy"] == {
        "interval": 5, "successes": 0, "http_statuses": [200, 302],
    }  # fmt: skip


# lists


def test_lists_have_pages_ordered_by_id(gateway: Gateway, name: str) -> None:
    ids = [gateway.made("POST", "/services", {"host": "a", "tags": [name]})["id"] for _ in range(5)]
    seen: list[list[str]] = []
    path = f"/services?size=2&tags={name}"
    while path and len(seen) < 9:
        page = gateway.call("GET", path).json()
        assert ("offset" in page) is (page["next"] is not None)
        seen.append([row["id"] for row in page["data"]])
        path = page["next"]
    assert [len(page) for page in seen] == [2, 2, 1]
    assert list(itertools.chain(*seen)) == sorted(ids)
    for row in ids:
        gateway.call("DELETE", f"/services/{row}")


@pytest.mark.parametrize(
    ("query", "code"),
    [("size=0", 9), ("size=1001", 9), ("size=abc", 9), ("offset=zzz", 7), ("tags=a,b/c", 11), ("tags=", 11)],
)
def test_an_invalid_query_is_400(gateway: Gateway, query: str, code: int) -> None:
    answer = gateway.call("GET", f"/services?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_tags_filter_by_and_and_or(gateway: Gateway, service: dict[str, Json], name: str) -> None:
    gateway.made("PATCH", f"/services/{name}", {"tags": [name, "b"]})

    def found(tags: str) -> list[str]:
        return [row["name"] for row in gateway.call("GET", f"/services?tags={tags}").json()["data"]]

    assert [found(tags) for tags in (name, f"{name},b", f"{name},c", f"{name}/c")] == [
        [name],
        [name],
        [],
        [name],
    ]
    rows = gateway.call("GET", f"/tags/{name}").json()["data"]
    assert rows == [{"tag": name, "entity_name": "services", "entity_id": service["id"]}]
