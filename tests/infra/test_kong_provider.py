"""The Kong provider against an Admin API over HTTP: what each verb does, and what it says when it can't."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from infra.kong import admin_api
from infra.kong.connection import Kong
from infra.kong.entities import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.kong.fields import Entity
from infra.kong.managed import KongEntity
from infra.kong.ownership import entity_id
from infra.kong.provider import KongTarget
from infra.plugin import PluginError
from infra.props import UNKNOWN, Props
from tests.infra.kong_entities import checked, live, made, urn
from tests.offline.peers import Gateway


def test_what_kong_fills_in_is_no_drift(kong: Kong) -> None:
    upstream = KongEntity(kong, UPSTREAM)
    object_id, state = made(
        upstream, "KongUpstream", {"name": uuid4().hex, "healthchecks": {"active": {"http_path": "/readyz"}}}
    )
    assert upstream.diff(live(upstream, object_id, state), state) == set()


def test_a_repeated_create_is_the_same_create(kong: Kong, gateway: Gateway) -> None:
    service = KongEntity(kong, SERVICE)
    inputs = checked(service, {"host": "a.example", "name": uuid4().hex})
    first = service.create(urn("KongService", "one"), inputs, preview=False)
    assert service.create(urn("KongService", "one"), inputs, preview=False) == first
    assert gateway.call("GET", f"/services/{inputs['name']}").json()["id"] == first[0]


def test_an_id_is_of_stack_type_and_logical_name() -> None:
    ids = {
        entity_id(urn("KongService", "a")),
        entity_id(urn("KongService", "b")),
        entity_id(urn("KongRoute", "a")),
        entity_id(urn("KongService", "a", stack="other")),
    }
    assert len(ids) == 4
    below_another_parent = "urn:pulumi:test::session-context::kong:index:KongService::a"
    assert entity_id(below_another_parent) == entity_id(urn("KongService", "a"))


def test_a_preview_knows_the_id_and_writes_nothing(kong: Kong, gateway: Gateway) -> None:
    service = KongEntity(kong, SERVICE)
    inputs = checked(service, {"host": "a.example", "name": uuid4().hex})
    object_id, _ = service.create(urn("KongService", inputs["name"]), inputs, preview=True)
    assert gateway.call("GET", f"/services/{object_id}").status_code == 404
    assert service.create(urn("KongService", inputs["name"]), inputs, preview=False)[0] == object_id


def test_a_service_that_a_route_holds_names_the_route(kong: Kong, gateway: Gateway) -> None:
    service = KongEntity(kong, SERVICE)
    object_id, state = made(service, "KongService", {"host": "a.example", "name": uuid4().hex})
    foreign = f"route-of-someone-{uuid4().hex}"
    gateway.made("POST", f"/services/{object_id}/routes", {"name": foreign, "paths": ["/x"]})
    with pytest.raises(PluginError, match=f"{foreign}.*Remove that route"):
        service.delete(object_id, state)


def test_the_delete_of_what_is_gone_is_done(kong: Kong) -> None:
    service = KongEntity(kong, SERVICE)
    object_id, state = made(service, "KongService", {"host": "a.example"})
    service.delete(object_id, state)
    service.delete(object_id, state)
    assert service.read(object_id, state) is None


def test_an_import_finds_an_entity_by_its_name(kong: Kong, gateway: Gateway) -> None:
    row = gateway.made("POST", "/services", {"name": uuid4().hex, "host": "a.example", "port": 99})
    found = KongEntity(kong, SERVICE).read(row["name"], {})
    assert found is not None
    assert (found[0], found[2]["port"]) == (row["id"], 99)


def test_a_target_is_made_once_changed_in_place_and_moved_by_another(kong: Kong, gateway: Gateway) -> None:
    upstream_id, _ = made(KongEntity(kong, UPSTREAM), "KongUpstream", {"name": uuid4().hex})
    target = KongTarget(kong, TARGET)
    inputs = checked(target, {"upstream": upstream_id, "target": "a.example:8080"})
    object_id, state = target.create(urn("KongTarget", "one"), inputs, preview=False)
    assert target.create(urn("KongTarget", "one"), inputs, preview=False)[0] == object_id

    state = target.update(object_id, state, inputs | {"weight": 7}, preview=False)
    assert live(target, object_id, state)["weight"] == 7

    moved = inputs | {"target": "b.example:8080"}
    assert target.diff(inputs, moved) & target.replaced_on == {"target"}
    other_id, _ = target.create(urn("KongTarget", "one"), moved, preview=False)
    assert other_id != object_id
    target.delete(object_id, state)
    target.delete(object_id, state)
    rows = gateway.call("GET", f"/upstreams/{upstream_id}/targets").json()["data"]
    assert [row["target"] for row in rows] == ["b.example:8080"]


@pytest.mark.parametrize(
    ("entity", "inputs", "named"),
    [
        (SERVICE, {}, "host"),
        (SERVICE, {"host": "a b"}, "host"),
        (SERVICE, {"host": "a:80"}, "host"),
        (SERVICE, {"host": "a", "port": 70000}, "port"),
        (SERVICE, {"host": "a", "port": "80"}, "port"),
        (SERVICE, {"host": "a", "path": "v1"}, "path"),
        (SERVICE, {"host": "a", "path": "/v1", "protocol": "tcp"}, "path"),
        (SERVICE, {"host": "a", "protocol": "gopher"}, "protocol"),
        (SERVICE, {"host": "a", "name": "a name"}, "name"),
        (SERVICE, {"host": "a", "read_timeout": 0}, "read_timeout"),
        (SERVICE, {"host": "a", "tags": ["a,b"]}, "tags"),
        (SERVICE, {"host": "a", "hots": "b"}, "hots"),
        (ROUTE, {"name": "matches-all"}, "hosts"),
        (ROUTE, {"hosts": ["https://a"]}, "hosts"),
        (ROUTE, {"paths": ["sessions"]}, "paths"),
        (ROUTE, {"methods": ["get"]}, "methods"),
        (ROUTE, {"hosts": ["a"], "https_redirect_status_code": 303}, "https_redirect_status_code"),
        (UPSTREAM, {"name": "10.0.0.1"}, "name"),
        (UPSTREAM, {"name": "a", "healthchecks": {"active": {"htp_path": "/"}}}, "healthchecks"),
        (UPSTREAM, {"name": "a", "healthchecks": {"active": {"http_path": 1}}}, "healthchecks"),
        (TARGET, {"upstream": "u", "target": "no-port"}, "target"),
        (TARGET, {"upstream": "u", "target": "a:1", "weight": -1}, "weight"),
    ],
)
def test_wrong_inputs_are_refused_before_kong_is_asked(entity: Entity, inputs: Props, named: str) -> None:
    _, failures = entity.complete(inputs)
    assert [failure.property for failure in failures] == [named]


def test_every_wrong_input_is_named_at_once() -> None:
    _, failures = SERVICE.complete({"port": -1, "path": "x", "retries": "many"})
    assert {failure.property for failure in failures} == {"host", "port", "path", "retries"}


def test_what_a_preview_can_not_know_is_not_judged() -> None:
    filled, failures = TARGET.complete({"upstream": UNKNOWN, "target": UNKNOWN})
    assert failures == []
    assert filled["target"] == UNKNOWN


class _Answers(BaseHTTPRequestHandler):
    """Answers what the test says, and keeps what it was asked."""

    server: "_Server"

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        status, body = self.server.answers.pop(0) if self.server.answers else (200, b'{"id": "x"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    asked: list[dict[str, str]]
    answers: list[tuple[int, bytes]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """An HTTP server that is no Kong."""
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0.01)
    server = _Server(("127.0.0.1", 0), _Answers)
    server.asked, server.answers = [], []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def api(server: _Server, **more: str) -> admin_api.AdminApi:
    return admin_api.AdminApi(f"http://127.0.0.1:{server.server_port}", **more)


def test_an_admin_api_that_recovers_is_asked_again(server: _Server) -> None:
    server.answers = [(503, b"{}"), (502, b"<html>")]
    assert api(server).get("services", "x") == {"id": "x"}
    assert len(server.asked) == 3


def test_an_admin_api_that_stays_broken_is_an_error(server: _Server) -> None:
    server.answers = [(500, b'{"message": "An unexpected error occurred"}')] * 20
    with pytest.raises(admin_api.AdminApiError, match="500: An unexpected error"):
        api(server).get("services", "x")


def test_what_is_no_kong_is_said_to_be_none(server: _Server) -> None:
    server.answers = [(200, b"<html>welcome</html>")]
    with pytest.raises(admin_api.AdminApiUnreachableError, match=r"no Kong Admin API.*kongAdminUrl"):
        api(server).get("services", "x")


def test_an_admin_api_that_is_down_says_what_to_check(server: _Server) -> None:
    closed = admin_api.AdminApi("http://127.0.0.1:9")
    with pytest.raises(admin_api.AdminApiUnreachableError, match="kongAdminUrl"):
        closed.get("services", "x")
    assert server.asked == []


def test_the_token_goes_in_its_header_and_not_into_messages(server: _Server) -> None:
    server.answers = [(401, b'{"message": "Unauthorized"}')]
    with pytest.raises(admin_api.AdminApiDeniedError, match="kongAdminToken") as caught:
        api(server, token="canary-4711", token_header="X-Token").get("services", "x")  # noqa: S106 - a canary
    assert server.asked[0]["X-Token"] == "canary-4711"
    assert "canary-4711" not in str(caught.value)


def test_a_kong_without_a_database_is_told_from_other_errors(server: _Server) -> None:
    body = b'{"code": 12, "name": "operation unsupported", "message": "cannot create"}'
    server.answers = [(405, body)]
    with pytest.raises(admin_api.ReadOnlyKongError, match="without a database"):
        api(server).get("services", "x")
