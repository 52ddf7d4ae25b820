"""Responses are trusted only after the root has shown a supported version of Kong."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.kong.provider import admin_api
from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import AdminApiUnusableError
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.routing import SERVICE, TARGET
from infra.plugin import PluginError
from tests.infra.kong.admin_servers import NODE, AdminServer, serving
from tests.infra.kong.entities import urn
from tests.offline.peers import Gateway

NOT_FOUND = (404, b'{"message": "Not found"}')
SERVICE_URN = urn("KongService", "one")


@pytest.fixture
def other_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminServer]:
    """Yield a server of JSON that is not Kong's Admin API, as with a missing path prefix."""
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0.01)
    with serving(AdminServer()) as server:
        server.root, server.answers = NOT_FOUND, [NOT_FOUND] * 99
        yield server


def configured(url: str) -> Kong:
    kong = Kong()
    kong.configure({"adminUrl": url})
    return kong


def service(kong: Kong) -> EntityResource:
    return EntityResource(kong, SERVICE)


FILLED, _ = SERVICE.fill_defaults({"host": "a.example", "name": "a"})
TARGET_FILLED, _ = TARGET.fill_defaults({"upstream": "u", "target": "a.example:80"})
VERBS: dict[str, Callable[[Kong], object]] = {
    "check": lambda kong: service(kong).check(SERVICE_URN, {"host": "a.example"}, {}),
    "preview": lambda kong: service(kong).create(SERVICE_URN, FILLED, preview=True),
    "create": lambda kong: service(kong).create(SERVICE_URN, FILLED, preview=False),
    "read": lambda kong: service(kong).read("some-id", FILLED),
    "import": lambda kong: service(kong).read("some-name", {}),
    "update": lambda kong: service(kong).update("some-id", FILLED, FILLED | {"port": 81}, preview=False),
    "delete": lambda kong: service(kong).delete("some-id", FILLED),
    "delete below another": lambda kong: TargetResource(kong, TARGET).delete("some-id", TARGET_FILLED),
    "invoke": lambda kong: kong.require_writable({}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_trusts_a_404_of_another_server(other_server: AdminServer, verb: str) -> None:
    with pytest.raises(PluginError, match=r"not Kong's Admin API: GET / returned 404.*kongAdminUrl"):
        VERBS[verb](configured(other_server.url))
    assert other_server.requests == []


def test_the_port_of_kongs_proxy_is_recognized(gateway: Gateway) -> None:
    for verb in (VERBS["read"], VERBS["delete"]):
        with pytest.raises(PluginError, match=r"Kong's proxy.*Correct the port in kongAdminUrl"):
            verb(configured(gateway.proxy))


@pytest.mark.parametrize(
    "root",
    [
        {},
        {"data": [], "next": None},
        {"version": "3.9.3"},
        {"configuration": {}},
        {"version": "latest", "configuration": {}},
        {"version": 3.9, "configuration": {}},
    ],
)
def test_other_json_at_the_root_is_not_kong(other_server: AdminServer, root: dict[str, object]) -> None:
    other_server.root = (200, json.dumps(root).encode())
    with pytest.raises(AdminApiUnusableError, match="not Kong's Admin API"):
        AdminApi(other_server.url).get("services", "x")


@pytest.mark.parametrize(
    "version", ["3.4.0", "3.9.3", "3.10.0", "3.4.3.12-enterprise-edition", "3.9.0.1", "4.0.0"]
)
def test_every_edition_from_3_4_is_supported(other_server: AdminServer, version: str) -> None:
    other_server.root = (200, json.dumps(NODE | {"version": version}).encode())
    AdminApi(other_server.url).require_supported()
    assert AdminApi(other_server.url).get("services", "x") is None


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("3.3.1", "is version 3.3.1, which lacks rate-limiting's sync_rate. Use Kong 3.4 or later"),
        ("2.8.5", "use_srv_name, a plugin's instance_name, rate-limiting's sync_rate"),
    ],
)
def test_an_older_kong_stops_the_preview_but_no_deletion(
    other_server: AdminServer, version: str, missing: str
) -> None:
    other_server.root = (200, json.dumps(NODE | {"version": version}).encode())
    for verb in ("check", "preview", "create", "invoke"):
        with pytest.raises(PluginError, match=missing):
            VERBS[verb](configured(other_server.url))
    for removal in ("read", "delete"):
        VERBS[removal](configured(other_server.url))


def test_a_kong_without_a_database_stops_the_preview(other_server: AdminServer) -> None:
    other_server.root = (200, json.dumps(NODE | {"configuration": {"database": "off"}}).encode())
    with pytest.raises(PluginError, match="without a database"):
        VERBS["check"](configured(other_server.url))


def test_the_root_of_a_workspace_is_below_its_path(other_server: AdminServer) -> None:
    other_server.root, other_server.answers = NOT_FOUND, [(200, json.dumps(NODE).encode()), (200, b'{"id": "x"}')]
    assert AdminApi(f"{other_server.url}/team-a/").get("services", "x") == {"id": "x"}
    assert [request["path"] for request in other_server.requests] == ["/team-a/", "/team-a/services/x"]


def test_the_root_is_requested_once_for_concurrent_calls(other_server: AdminServer) -> None:
    other_server.root, other_server.answers = AdminServer.kongs_root, []
    api = AdminApi(other_server.url)
    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda number: api.get("services", str(number)), range(64)))
    assert found == [{"id": "x"}] * 64
    assert other_server.root_requests == 1


def test_the_root_is_requested_again_after_a_failure(other_server: AdminServer) -> None:
    api = AdminApi(other_server.url)
    with pytest.raises(AdminApiUnusableError):
        api.get("services", "x")
    other_server.root = AdminServer.kongs_root
    assert api.get("services", "x") is None


def test_a_role_without_permission_for_the_root_is_an_error(other_server: AdminServer) -> None:
    other_server.root = (403, b'{"message": "you do not have permissions to read this resource"}')
    kong = Kong()
    kong.configure({"adminUrl": other_server.url, "token": "canary"})
    with pytest.raises(PluginError, match=r"kongAdminToken is not allowed to GET /\. Allow it in Kong's RBAC"):
        VERBS["delete"](kong)
    assert other_server.requests == []
