"""No answer is believed before the root has shown that it is a Kong's, and a Kong of a version that will do."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.kong.provider import admin_api
from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import AdminApiUnusableError
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import TargetResource
from infra.kong.schema.routing import SERVICE, TARGET
from infra.plugin import PluginError
from tests.infra.kong.admin_servers import NODE, AdminServer, serving
from tests.infra.kong.entities import urn
from tests.offline.peers import Gateway

NOT_FOUND = (404, b'{"message": "Not found"}')
SERVICE_URN = urn("KongService", "one")


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminServer]:
    """A server of JSON that knows none of the Admin API's paths, as a lost path prefix makes of Kong's own."""
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


FILLED, _ = SERVICE.complete({"host": "a.example", "name": "a"})
TARGET_FILLED, _ = TARGET.complete({"upstream": "u", "target": "a.example:80"})
VERBS: dict[str, Callable[[Kong], object]] = {
    "check": lambda kong: service(kong).check(SERVICE_URN, {"host": "a.example"}, {}),
    "preview": lambda kong: service(kong).create(SERVICE_URN, FILLED, preview=True),
    "create": lambda kong: service(kong).create(SERVICE_URN, FILLED, preview=False),
    "read": lambda kong: service(kong).read("some-id", FILLED),
    "import": lambda kong: service(kong).read("some-name", {}),
    "update": lambda kong: service(kong).update("some-id", FILLED, FILLED | {"port": 81}, preview=False),
    "delete": lambda kong: service(kong).delete("some-id", FILLED),
    "delete below another": lambda kong: TargetResource(kong, TARGET).delete("some-id", TARGET_FILLED),
    "invoke": lambda kong: kong.require({}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_believes_a_404_of_what_is_no_kong(stranger: AdminServer, verb: str) -> None:
    with pytest.raises(PluginError, match=r"no Kong Admin API.*GET / with 404.*kongAdminUrl"):
        VERBS[verb](configured(stranger.url))
    assert stranger.asked == []


def test_the_proxys_port_is_named_as_the_proxys(gateway: Gateway) -> None:
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
def test_json_at_the_root_makes_no_kong(stranger: AdminServer, root: dict[str, object]) -> None:
    stranger.root = (200, json.dumps(root).encode())
    with pytest.raises(AdminApiUnusableError, match="no Kong Admin API"):
        AdminApi(stranger.url).get("services", "x")


@pytest.mark.parametrize(
    "version", ["3.4.0", "3.9.3", "3.10.0", "3.4.3.12-enterprise-edition", "3.9.0.1", "4.0.0"]
)
def test_a_kong_of_any_edition_will_do_from_3_4_on(stranger: AdminServer, version: str) -> None:
    stranger.root = (200, json.dumps(NODE | {"version": version}).encode())
    AdminApi(stranger.url).require_fit()
    assert AdminApi(stranger.url).get("services", "x") is None


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("3.3.1", "is 3.3.1, which is too old: it has no rate-limiting's sync_rate. Use Kong 3.4 or later"),
        ("2.8.5", "use_srv_name, a plugin's instance_name, rate-limiting's sync_rate"),
    ],
)
def test_an_older_kong_stops_a_preview_with_what_it_lacks(
    stranger: AdminServer, version: str, missing: str
) -> None:
    stranger.root = (200, json.dumps(NODE | {"version": version}).encode())
    for verb in ("check", "preview", "create", "invoke"):
        with pytest.raises(PluginError, match=missing):
            VERBS[verb](configured(stranger.url))
    for removal in ("read", "delete"):
        VERBS[removal](configured(stranger.url))


def test_a_kong_without_a_database_stops_a_preview(stranger: AdminServer) -> None:
    stranger.root = (200, json.dumps(NODE | {"configuration": {"database": "off"}}).encode())
    with pytest.raises(PluginError, match="without a database"):
        VERBS["check"](configured(stranger.url))


def test_the_root_below_a_workspace_is_asked_there(stranger: AdminServer) -> None:
    stranger.root, stranger.answers = NOT_FOUND, [(200, json.dumps(NODE).encode()), (200, b'{"id": "x"}')]
    assert AdminApi(f"{stranger.url}/team-a/").get("services", "x") == {"id": "x"}
    assert [asked["path"] for asked in stranger.asked] == ["/team-a/", "/team-a/services/x"]


def test_the_root_is_asked_once_for_all_calls_at_once(stranger: AdminServer) -> None:
    stranger.root, stranger.answers = AdminServer.kongs_root, []
    api = AdminApi(stranger.url)
    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda number: api.get("services", str(number)), range(64)))
    assert found == [{"id": "x"}] * 64
    assert stranger.asked_root == 1


def test_after_a_failure_the_root_is_asked_again(stranger: AdminServer) -> None:
    api = AdminApi(stranger.url)
    with pytest.raises(AdminApiUnusableError):
        api.get("services", "x")
    stranger.root = AdminServer.kongs_root
    assert api.get("services", "x") is None


def test_a_role_that_may_not_read_the_root_is_told_so(stranger: AdminServer) -> None:
    stranger.root = (403, b'{"message": "you do not have permissions to read this resource"}')
    kong = Kong()
    kong.configure({"adminUrl": stranger.url, "token": "canary"})
    with pytest.raises(PluginError, match=r"kongAdminToken may not GET /\. Allow it in Kong's RBAC"):
        VERBS["delete"](kong)
    assert stranger.asked == []
