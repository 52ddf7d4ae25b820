"""The client of the Admin API: retries, errors, and pages of lists."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.kong.provider import admin_api
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import (
    AdminApiDeniedError,
    AdminApiError,
    AdminApiUnreachableError,
    UnsupportedKongError,
)
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.session import Credentials
from infra.kong.schema.routing import SERVICE
from infra.plugin import PluginError
from infra.plugin.provider import CANCELLED
from tests.infra.kong.admin_servers import AdminServer, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminServer]:
    """Yield a server with Kong's response at its root."""
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0.01)
    with serving(AdminServer()) as server:
        yield server


def api(server: AdminServer, **more: Any) -> admin_api.AdminApi:  # noqa: ANN401 - passed on
    return admin_api.AdminApi(server.url, **more)


def kong(server: AdminServer, warn: Callable[[str], None] = print) -> Kong:
    kong = Kong(warn)
    kong.configure({"adminUrl": server.url})
    return kong


def test_a_5xx_is_retried(server: AdminServer) -> None:
    server.answers = [(503, b"{}"), (502, b"<html>")]
    assert api(server).get("services", "x") == {"id": "x"}
    assert len(server.requests) == 3


def test_a_retry_after_does_not_change_the_pauses_between_tries(server: AdminServer) -> None:
    server.answers, pauses = [(503, b"{}")] * 20, list[float]()
    with pytest.raises(AdminApiUnreachableError, match="503"):
        api(server, wait=pauses.append).get("services", "x")
    assert pauses == [0.01, 0.02, 0.04]
    assert len(server.requests) == 4


def test_an_interrupted_run_does_not_retry(server: AdminServer) -> None:
    server.answers = [(503, b"{}")] * 20
    CANCELLED.set()
    try:
        with pytest.raises(PluginError, match="interrupted"):
            kong(server).call(lambda api: api.get("services", "x"))
    finally:
        CANCELLED.clear()
    assert len(server.requests) == 1


def test_a_list_is_read_to_its_last_page(server: AdminServer) -> None:
    first = {"data": [{"id": "a"}, {"id": "b"}], "next": "/services?offset=t%3D", "offset": "t="}
    server.answers = [(200, json.dumps(page).encode()) for page in (first, {"data": [{"id": "c"}], "next": None})]
    assert [one["id"] for one in api(server).list("services")] == ["a", "b", "c"]
    assert [request["path"] for request in server.requests] == [
        "/services?size=1000",
        "/services?size=1000&offset=t%3D",
    ]


def test_a_rejected_token_stops_the_preview(server: AdminServer) -> None:
    server.answers = [(401, b'{"message": "Unauthorized"}')]
    with pytest.raises(PluginError, match="kongAdminToken"):
        EntityResource(kong(server), SERVICE).check("", {"host": "a.example"}, {})


def test_a_kong_that_lost_its_database_is_a_warning_in_a_preview(server: AdminServer) -> None:
    server.answers, warnings = [(500, b'{"message": "An unexpected error occurred"}')] * 20, list[str]()
    _, failures = EntityResource(kong(server, warnings.append), SERVICE).check("", {"host": "a.example"}, {})
    assert failures == []
    assert len(warnings) == 1
    assert "500: An unexpected error" in warnings[0]


def test_a_persistent_5xx_is_an_error(server: AdminServer) -> None:
    server.answers = [(500, b'{"message": "An unexpected error occurred"}')] * 20
    with pytest.raises(AdminApiError, match="500: An unexpected error"):
        api(server).get("services", "x")


def test_an_unreachable_admin_api_is_an_error_with_advice(server: AdminServer) -> None:
    closed = admin_api.AdminApi("http://127.0.0.1:9")
    with pytest.raises(AdminApiUnreachableError, match="kongAdminUrl"):
        closed.get("services", "x")
    assert server.requests == []


def test_the_token_is_sent_in_its_header_and_not_repeated(server: AdminServer) -> None:
    server.answers = [(401, b'{"message": "Unauthorized"}')]
    with pytest.raises(AdminApiDeniedError, match="kongAdminToken") as caught:
        api(server, credentials=Credentials(token="canary-4711", token_header="X-Token")).get("services", "x")  # noqa: S106 - a canary
    assert server.requests[0]["X-Token"] == "canary-4711"
    assert "canary-4711" not in str(caught.value)


def test_a_kong_without_a_database_is_not_supported(server: AdminServer) -> None:
    body = b'{"code": 12, "name": "operation unsupported", "message": "cannot create"}'
    server.answers = [(405, body)]
    with pytest.raises(UnsupportedKongError, match="without a database"):
        api(server).get("services", "x")
