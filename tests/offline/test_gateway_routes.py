"""Routes in the Admin API, and nested paths."""

import pytest

from tests.offline.peers import NO_ONE, Gateway, Json, refusal


def test_a_route_has_all_fields_with_their_defaults(gateway: Gateway, service: dict[str, Json], name: str) -> None:
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
        ({"protocols": ["http"], "snis": ["a.x"]}, {"@entity", "snis"}),
        ({"hosts": ["a", "http://a"]}, {"hosts"}),
        ({"hosts": ["a.*.b"]}, {"hosts"}),
        ({"hosts": ["*.a.*"]}, {"hosts"}),
        ({"methods": ["get"]}, {"methods"}),
        ({"paths": ["a"]}, {"paths"}),
        ({"headers": {"Host": ["a"]}}, {"headers"}),
        ({"hosts": ["a"], "protocols": ["http", "tcp"]}, {"protocols"}),
        ({"hosts": ["a"], "protocols": []}, {"protocols"}),
        ({"hosts": ["a"], "https_redirect_status_code": 303}, {"https_redirect_status_code"}),
        ({"hosts": ["a"], "service": "s"}, {"service"}),
    ],
)
def test_an_invalid_route_gets_its_errors(gateway: Gateway, body: dict[str, Json], faulty: set[str]) -> None:
    status, code, fields = refusal(gateway.call("POST", "/routes", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


def test_a_route_needs_an_existing_service(gateway: Gateway) -> None:
    by_id = gateway.call("POST", "/routes", {"hosts": ["a"], "service": {"id": NO_ONE}})
    assert refusal(by_id) == (400, 4, {"service": {"id": NO_ONE}})
    by_name = gateway.call("POST", "/routes", {"hosts": ["a"], "service": {"name": "nobody"}})
    assert (by_name.status_code, by_name.json()["code"]) == (400, 13)


def test_a_service_with_routes_can_not_be_deleted_and_one_without_is_with_its_plugins(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    gateway.made("PUT", f"/services/{name}/routes/{name}", {"hosts": ["a"]})
    plugin = gateway.made("POST", f"/services/{name}/plugins", {"name": "key-auth", "route": {"name": name}})
    assert refusal(gateway.call("DELETE", f"/services/{name}")) == (400, 4, {"@referenced_by": "routes"})
    assert gateway.call("DELETE", f"/routes/{name}").status_code == 204
    assert gateway.call("GET", f"/plugins/{plugin['id']}").status_code == 404
    assert gateway.call("DELETE", f"/services/{service['id']}").status_code == 204


@pytest.mark.usefixtures("service")
def test_nested_paths_show_only_rows_of_the_parent(gateway: Gateway, name: str) -> None:
    second = gateway.made("POST", "/services", {"host": "b"})
    gateway.made("POST", f"/services/{name}/routes", {"hosts": ["a"], "name": name})
    for method in ("GET", "PATCH", "DELETE"):
        assert gateway.call(method, f"/services/{second['id']}/routes/{name}", {}).status_code == 404
    moved = gateway.made("PUT", f"/services/{second['id']}/routes/{name}", {"hosts": ["a"]})
    assert moved["service"] == {"id": second["id"]}
    assert gateway.made("PUT", f"/routes/{name}", {"hosts": ["a"]})["service"] is None
    assert gateway.call("DELETE", f"/services/{second['id']}").status_code == 204


TCP = {"protocols": ["tcp"], "sources": [{"ip": "10.0.0.1"}]}


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({"hosts": ["1.2.3"]}, {"hosts"}),
        ({"snis": ["a.*.b"]}, {"snis"}),
        ({"snis": ["1.2.3.4"]}, {"snis"}),
        ({"hosts": ["a"], "sources": [{"ip": "10.0.0.1"}]}, {"sources"}),
        ({"hosts": ["a"], "destinations": []}, {"destinations"}),
        (TCP | {"sources": [{}]}, {"sources"}),
        (TCP | {"sources": [{"ip": "10.0.0.0/99"}]}, {"sources"}),
        (TCP | {"hosts": ["a"]}, {"hosts"}),
        (TCP | {"paths": ["/a"]}, {"paths"}),
        (TCP | {"protocols": ["tls_passthrough"]}, {"@entity"}),
        ({"protocols": ["grpc"], "hosts": ["a"], "strip_path": True}, {"strip_path"}),
        ({"protocols": ["grpc"], "hosts": ["a"], "methods": ["GET"]}, {"methods"}),
        ({"paths": ["/a%20b"]}, {"paths"}),
        ({"paths": ["/a%2fb"]}, {"paths"}),
        ({"paths": ["/a/../b"]}, {"paths"}),
        ({"paths": ["/a%zz"]}, {"paths"}),
        ({"paths": ["~/a//b"]}, {"paths"}),
    ],
)
def test_fields_that_kong_refuses_are_refused(gateway: Gateway, body: dict[str, Json], faulty: set[str]) -> None:
    status, code, fields = refusal(gateway.call("POST", "/routes", body))
    assert (status, code, set(fields)) == (400, 2, faulty)


@pytest.mark.parametrize(
    "body",
    [
        {"paths": ["/a b", "/é", "/a[1]", "/a%2Fb"]},
        {"paths": [r"~/(?<id>\d+)$", r"~/a\\1", r"~/a\z"]},
        {"headers": {"x-a": ["~*^a[0-9]", "b"]}},
        {"snis": ["*.a", "a.*", "*"]},
        TCP,
        {"protocols": ["grpc"], "hosts": ["a"]},
    ],
)
def test_fields_that_kong_accepts_are_accepted(gateway: Gateway, name: str, body: dict[str, Json]) -> None:
    row = gateway.made("PUT", f"/routes/{name}", body)
    assert {field: row[field] for field in body if field != "sources"} == {
        field: value for field, value in body.items() if field != "sources"
    }
    assert row["strip_path"] is (body.get("protocols") != ["grpc"])
