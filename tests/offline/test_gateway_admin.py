"""What the Admin API answers, fact by fact as a real Kong 3.9.3 does."""

import concurrent.futures
import itertools
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from tests.offline.peers import Gateway, Json

NO_ONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def name(gateway: Gateway) -> Iterator[str]:
    """A name of this test's own; what is made under it is removed."""
    name = f"n{uuid4().hex[:10]}"
    yield name
    for kind in ("routes", "services", "upstreams", "consumers"):
        gateway.call("DELETE", f"/{kind}/{name}")


@pytest.fixture
def service(gateway: Gateway, name: str) -> dict[str, Json]:
    return gateway.made("POST", "/services", {"name": name, "url": "http://a:8080/base"})


def refusal(answer: requests.Response) -> tuple[int, int, Json]:
    return answer.status_code, answer.json()["code"], answer.json().get("fields")


def test_a_service_carries_all_its_fields_with_their_defaults(service: dict[str, Json], name: str) -> None:
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
def test_a_url_stands_for_four_fields(gateway: Gateway, name: str, url: str, stored: tuple[Json, ...]) -> None:
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
def test_a_bad_service_is_told_all_that_is_wrong(
    gateway: Gateway, body: dict[str, Json], faulty: set[str]
) -> None:
    status, code, fields = refusal(gateway.call("POST", "/services", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


def test_faults_are_counted_and_sorted_in_the_message(gateway: Gateway) -> None:
    answer = gateway.call("POST", "/services", {"host": "a", "port": -1, "foo": 1, "tags": ["ok", "a,b"]}).json()
    assert answer["name"] == "schema violation"
    assert answer["message"].startswith(
        "3 schema violations (foo: unknown field; port: value should be between 0 and"
    )
    assert "tags.2: invalid tag 'a,b'" in answer["message"]
    assert answer["fields"]["tags"][0] is None


def test_put_makes_and_replaces_with_200(gateway: Gateway, name: str) -> None:
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


def test_a_name_is_taken_once(gateway: Gateway, service: dict[str, Json], name: str) -> None:
    for method, path in (("POST", "/services"), ("PUT", f"/services/{uuid4()}")):
        answer = gateway.call(method, path, {"host": "a", "name": name})
        assert refusal(answer) == (409, 5, {"name": name})
        assert answer.json()["message"] == f"UNIQUE violation detected on '{{name=\"{name}\"}}'"
    assert refusal(gateway.call("POST", "/services", {"host": "a", "id": service["id"]})) == (
        400, 3, {"id": service["id"]},
    )  # fmt: skip


def test_many_at_once_make_one(gateway: Gateway, name: str) -> None:
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


def test_what_is_not_there_is_404_and_its_delete_204(gateway: Gateway) -> None:
    assert gateway.call("GET", "/services/nobody").json() == {"message": "Not found"}
    assert refusal(gateway.call("PATCH", "/services/nobody", {})) == (404, 6, {"name": "nobody"})
    assert refusal(gateway.call("PATCH", f"/services/{NO_ONE}", {})) == (404, 6, {"id": NO_ONE})
    assert gateway.call("DELETE", "/services/nobody").status_code == 204
    assert gateway.call("GET", "/services/a%20b").json()["code"] == 10
    for path in ("/nothing", "/targets", "/services/nobody/routes", "/upstreams/nobody/targets/a:1"):
        answer = gateway.call("GET", path)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not found"})


def test_every_reply_is_kongs_in_its_headers(gateway: Gateway) -> None:
    answer = gateway.call("GET", "/services/")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Server"] == "kong/3.9.3"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Kong-Admin-Latency" in answer.headers
    gone = gateway.call("DELETE", "/services/nobody")
    assert gone.content == b""
    assert "Content-Type" not in gone.headers


def test_methods_a_path_does_not_have(gateway: Gateway) -> None:
    wrong = gateway.call("PUT", "/services", {})
    assert (wrong.status_code, wrong.json()) == (405, {"message": "Method not allowed"})
    assert gateway.call("HEAD", "/services").status_code == 200
    options = gateway.call("OPTIONS", "/services")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_bodies_that_are_no_json(gateway: Gateway, name: str) -> None:
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


# routes


def test_a_route_carries_all_its_fields_with_their_defaults(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    row = gateway.made("PUT", f"/services/{name}/routes/{name}", {"hosts": ["A.x:80", "*.x"]})
    made = {"id", "created_at", "updated_at"}
    unset = dict.fromkeys(("methods", "paths", "headers", "snis", "sources", "destinations", "tags"))
    assert {field: value for field, value in row.items() if field not in made} == unset | {
        "name": name, "hosts": ["A.x:80", "*.x"], "service": {"id": service["id"]}, "regex_priority": 0,
        "protocols": ["http", "https"], "https_redirect_status_code": 426, "strip_path": True,
        "preserve_host": False, "request_buffering": True, "response_buffering": True, "path_handling": "v0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({}, {"@entity"}),
        ({"protocols": ["http"], "snis": ["a.x"]}, {"@entity"}),
        ({"hosts": ["a", "http://a"]}, {"hosts"}),
        ({"hosts": ["a.*.b"]}, {"hosts"}),
        ({"hosts": ["*.a.*"]}, {"hosts"}),
        ({"methods": ["get"]}, {"methods"}),
        ({"paths": ["a"]}, {"paths"}),
        ({"paths": ["~/("]}, {"paths"}),
        ({"headers": {"Host": ["a"]}}, {"headers"}),
        ({"hosts": ["a"], "protocols": ["http", "tcp"]}, {"protocols"}),
        ({"hosts": ["a"], "protocols": []}, {"protocols"}),
        ({"hosts": ["a"], "https_redirect_status_code": 303}, {"https_redirect_status_code"}),
        ({"hosts": ["a"], "service": "s"}, {"service"}),
    ],
)
def test_a_bad_route_is_told_what_is_wrong(gateway: Gateway, body: dict[str, Json], faulty: set[str]) -> None:
    status, code, fields = refusal(gateway.call("POST", "/routes", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


def test_a_route_needs_a_service_that_is_there(gateway: Gateway) -> None:
    by_id = gateway.call("POST", "/routes", {"hosts": ["a"], "service": {"id": NO_ONE}})
    assert refusal(by_id) == (400, 4, {"service": {"id": NO_ONE}})
    by_name = gateway.call("POST", "/routes", {"hosts": ["a"], "service": {"name": "nobody"}})
    assert (by_name.status_code, by_name.json()["code"]) == (400, 13)


def test_a_service_with_routes_stays_and_its_plugins_go_with_it(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    gateway.made("PUT", f"/services/{name}/routes/{name}", {"hosts": ["a"]})
    plugin = gateway.made("POST", f"/services/{name}/plugins", {"name": "key-auth", "route": {"name": name}})
    assert refusal(gateway.call("DELETE", f"/services/{name}")) == (400, 4, {"@referenced_by": "routes"})
    assert gateway.call("DELETE", f"/routes/{name}").status_code == 204
    assert gateway.call("GET", f"/plugins/{plugin['id']}").status_code == 404
    assert gateway.call("DELETE", f"/services/{service['id']}").status_code == 204


def test_nested_paths_see_only_what_belongs_to_the_parent(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    second = gateway.made("POST", "/services", {"host": "b"})
    gateway.made("POST", f"/services/{name}/routes", {"hosts": ["a"], "name": name})
    for method in ("GET", "PATCH", "DELETE"):
        assert gateway.call(method, f"/services/{second['id']}/routes/{name}", {}).status_code == 404
    assert gateway.call("GET", f"/routes/{name}/service").json() == service
    assert gateway.made("PATCH", f"/routes/{name}/service", {"retries": 1})["id"] == service["id"]
    assert gateway.call("DELETE", f"/routes/{name}/service").status_code == 405
    moved = gateway.made("PUT", f"/services/{second['id']}/routes/{name}", {"hosts": ["a"]})
    assert moved["service"] == {"id": second["id"]}
    assert gateway.made("PUT", f"/routes/{name}", {"hosts": ["a"]})["service"] is None
    assert gateway.call("DELETE", f"/services/{second['id']}").status_code == 204


# lists


def test_lists_come_in_pages_ordered_by_id(gateway: Gateway, name: str) -> None:
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
def test_a_bad_query_is_400(gateway: Gateway, query: str, code: int) -> None:
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


# upstreams and targets


def test_a_patch_of_healthchecks_merges_deeply(gateway: Gateway, name: str) -> None:
    gateway.made("PUT", f"/upstreams/{name}", {"healthchecks": {"active": {"http_path": "/h"}}})
    change = {"healthchecks": {"active": {"unhealthy": {"http_statuses": [500]}}}}
    active = gateway.made("PATCH", f"/upstreams/{name}", change)["healthchecks"]["active"]
    assert (active["http_path"], active["unhealthy"]["http_statuses"]) == ("/h", [500])
    assert active["unhealthy"]["interval"] == 0


@pytest.mark.parametrize("bad", ["127.0.0.1", "a:80", "a b", None])
def test_an_upstream_is_named_like_a_host(gateway: Gateway, bad: str | None) -> None:
    assert refusal(gateway.call("POST", "/upstreams", {"name": bad}))[:2] == (400, 2)


def test_targets_are_made_by_post_alone(gateway: Gateway, name: str) -> None:
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


# plugins, consumers, keys


def test_a_plugin_is_once_per_scope_and_its_config_merges(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    path = f"/services/{name}/plugins"
    plugin = gateway.made("POST", path, {"name": "rate-limiting", "config": {"minute": 5, "redis_host": "r"}})
    assert (plugin["config"]["redis"]["host"], plugin["config"]["redis_host"]) == ("r", "r")
    assert (plugin["config"]["limit_by"], plugin["config"]["hour"]) == ("consumer", None)
    again = gateway.call("POST", path, {"name": "rate-limiting", "config": {"minute": 5}})
    scope = {"name": "rate-limiting", "service": {"id": service["id"]}, "route": None, "consumer": None}
    assert refusal(again) == (409, 5, scope)
    config = gateway.made("PATCH", f"/plugins/{plugin['id']}", {"config": {"hour": 9}})["config"]
    assert (config["minute"], config["hour"], config["redis_host"]) == (5, 9, "r")
    form = gateway.call("PATCH", f"/plugins/{plugin['id']}", data={"config.minute": "6"}).json()
    assert (form["config"]["minute"], form["config"]["hour"]) == (6, 9)
    assert gateway.made("PUT", f"/plugins/{plugin['id']}", {k: plugin[k] for k in ("name", "config", "service")})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name": "required field missing"}),
        ({"name": "key-auth", "config": {"bogus": 1}}, {"config": {"bogus": "unknown field"}}),
        (
            {"name": "rate-limiting", "config": {"minute": 0}},
            {"config": {"minute": "value must be greater than 0"}},
        ),
    ],
)
def test_a_bad_plugin_is_told_where(gateway: Gateway, body: dict[str, Json], fields: dict[str, Json]) -> None:
    assert refusal(gateway.call("POST", "/plugins", body)) == (400, 2, fields)
    assert refusal(gateway.call("POST", "/schemas/plugins/validate", body)) == (400, 2, fields)


def test_a_consumers_keys_are_unique_and_go_with_it(gateway: Gateway, name: str) -> None:
    assert set(refusal(gateway.call("POST", "/consumers", {}))[2]) == {"@entity"}
    gateway.made("PUT", f"/consumers/{name}", {"custom_id": name})
    key = gateway.made("POST", f"/consumers/{name}/key-auth", {})
    assert len(key["key"]) == 32
    assert refusal(gateway.call("POST", f"/consumers/{name}/key-auth", {"key": key["key"]}))[:2] == (409, 5)
    assert [row["username"] for row in gateway.call("GET", f"/consumers?custom_id={name}").json()["data"]] == [
        name
    ]
    assert key in gateway.call("GET", "/key-auths").json()["data"]
    assert gateway.call("DELETE", f"/consumers/{name}").status_code == 204
    assert gateway.call("GET", f"/key-auths/{key['id']}").status_code == 404


def test_validation_keeps_nothing(gateway: Gateway, name: str) -> None:
    answer = gateway.call("POST", "/schemas/services/validate", {"name": name, "host": "a"})
    assert (answer.status_code, answer.json()) == (200, {"message": "schema validation successful"})
    assert gateway.call("GET", f"/services/{name}").status_code == 404
