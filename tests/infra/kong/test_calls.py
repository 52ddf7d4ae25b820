"""What each call sends, how its response is understood, and what a resource makes of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import (
    AdminApiError,
    AdminApiUnreachableError,
    InvalidEntityError,
    NameTakenError,
    UnsupportedKongError,
)
from infra.kong.provider.mapping import digest, has_dotted_key
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import CertificateResource, PluginResource
from infra.kong.provider.session import Credentials
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CERTIFICATE, CONSUMER, PLUGIN, SNI
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.plugin import PluginError
from infra.props import UNKNOWN, Failure, Props
from tests.certificates import HOSTNAME, certificate
from tests.infra.kong.admin_servers import NODE, AdminServer, Answer, serving
from tests.infra.kong.entities import Peers, checked, made, urn
from tests.offline.peers import Gateway


@pytest.fixture
def server() -> Iterator[AdminServer]:
    """Yield a server with Kong's response at its root."""
    with serving(AdminServer()) as server:
        yield server


def answer(status: int, **content: Any) -> tuple[int, bytes]:  # noqa: ANN401 - JSON
    return status, json.dumps(content).encode()


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (answer(400, message="bad", code=2, fields={"a": "b"}), InvalidEntityError, "PUT /services/a%20b: bad"),
        (answer(409, message="taken", code=5), NameTakenError, "PUT /services/a%20b: taken"),
        (answer(412, message="odd"), AdminApiError, "PUT /services/a%20b: Kong returned 412: odd"),
        (answer(413), AdminApiError, "PUT /services/a%20b: Kong returned 413: no message"),
        (
            answer(405, code=12, message="no writes"),
            UnsupportedKongError,
            (
                "Kong at URL runs without a database, so its Admin API is read-only (no writes). "
                "Point kongAdminUrl at a Kong with PostgreSQL."
            ),
        ),
        (
            answer(500, message="no"),
            AdminApiUnreachableError,
            "PUT /services/a%20b: Kong's Admin API at URL returned 500: no. Check Kong's log and its database.",
        ),
        (
            (503, b"<html>", {"Server": "nginx"}),
            AdminApiUnreachableError,
            (
                "PUT /services/a%20b: Kong's Admin API at URL returned 503: Service Unavailable, from nginx. "
                "No Kong responds behind that address."
            ),
        ),
    ],
)
def test_an_error_of_kong_is_reported_in_full(
    server: AdminServer, response: Answer, kind: type[AdminApiError], message: str
) -> None:
    server.answers = [response] * 4
    with pytest.raises(AdminApiError) as error:
        AdminApi(f"{server.url}/", wait=lambda _: None).put("services", "a b", body={})
    assert (type(error.value), str(error.value)) == (kind, message.replace("URL", server.url))
    if isinstance(error.value, InvalidEntityError):
        assert (error.value.code, error.value.fields) == (2, {"a": "b"})


def test_each_method_has_its_request(server: AdminServer) -> None:
    api = AdminApi(server.url)
    missing: Answer = (404, b'{"message": "Not found"}')
    server.answers = [*[(200, b'{"id": "a"}')] * 4, missing, (204, b"")]
    called = [
        api.get("services", "a:b/c"),
        api.put("services", "x", body={"host": "a"}),
        api.patch("services", "x", body={}),
        api.post("services", body={}),
        api.get("services", "x"),
    ]
    assert called == [{"id": "a"}] * 4 + [None]
    api.delete("services", "x")
    paths = ["/services/a:b%2Fc", "/services/x", "/services/x", "/services", "/services/x", "/services/x"]
    assert [request["path"] for request in server.requests] == paths
    assert server.root_requests == 1
    server.answers = [missing]
    assert list(api.list("services", "x", "routes")) == []


def test_changes_are_live_after_all_timers_of_kong(server: AdminServer) -> None:
    assert AdminApi(server.url).propagation_seconds() == 1 + 0 + 5 + 5
    given = {"db_update_propagation": 2, "db_update_frequency": 3, "worker_state_update_frequency": 0.5}
    server.root = (200, json.dumps(NODE | {"configuration": given}).encode())
    assert AdminApi(server.url).propagation_seconds() == 6.5


def test_credentials_are_taken_from_the_inputs_and_sent(server: AdminServer) -> None:
    given = {"token": "t", "user": "ü", "password": "p"}
    renamed = {"tokenHeader": "X-T", "ca": "c", "clientCertificate": "d", "clientKey": "k"}
    fields = {"token_header": "X-T", "ca": "c", "certificate": "d", "key": "k"}
    assert Credentials.from_props(given | renamed) == Credentials(**given, **fields)
    assert Credentials.from_props({}) == Credentials()
    AdminApi(server.url, credentials=Credentials.from_props({**given, "tokenHeader": "X-T"})).get("services", "x")
    [request] = server.requests
    assert (request["X-T"], request["Authorization"]) == ("t", "Basic w7w6cA==")
    AdminApi(server.url, credentials=Credentials(user="u", token="t")).get("services", "x")  # noqa: S106 - none
    assert server.requests[1]["Kong-Admin-Token"] == "t"
    assert "Authorization" not in server.requests[1]


@pytest.mark.parametrize("url", ["ftp://kong", "kong:8001", "", None])
def test_an_address_without_http_is_rejected(url: str | None) -> None:
    with pytest.raises(PluginError) as error:
        Kong().configure({"adminUrl": url})
    expected = f"adminUrl of the Kong provider must start with http:// or https://, not {url!r}"
    assert str(error.value) == expected


def test_what_is_configured_is_what_is_used(server: AdminServer) -> None:
    kong = Kong()
    with pytest.raises(PluginError, match=r"^the Kong provider was used before it was configured$"):
        kong.require_writable({})
    assert kong.try_call(lambda api: api.get("services", "x")) is None
    kong.configure({"adminUrl": UNKNOWN})
    kong.configure({"adminUrl": server.url, "token": "t", "mark": "m", "timeoutMs": "1500"})
    assert (kong.mark, kong.adopt) == ("m", False)
    assert kong.try_call(lambda api: api.get("services", "x")) == {"id": "x"}
    assert kong.require_writable({}) == {}
    assert server.requests[0]["Kong-Admin-Token"] == "t"
    for adopt, expected in [("true", True), (True, True), ("false", False), (None, False)]:
        kong.configure({"adminUrl": server.url, "adopt": adopt})
        assert kong.adopt is expected


def test_a_digest_depends_on_all_but_the_timestamps() -> None:
    entity = {"id": "a", "tags": ["b"], "created_at": 1, "updated_at": 2}
    assert digest(entity) == digest({"updated_at": 3, "tags": ["b"], "id": "a"})
    assert digest(entity) != digest(entity | {"tags": []})


@pytest.mark.parametrize(
    ("value", "dotted"),
    [
        ({"a.b": 1}, True),
        ({"a": [{"b": {"c.d": 1}}]}, True),
        ({"a": "b.c"}, False),
        ([["a.b"]], False),
        ("a.b", False),
    ],
)
def test_a_key_with_a_dot_is_found_on_every_level(value: object, dotted: bool) -> None:
    assert has_dotted_key(value) is dotted


def test_an_existing_entity_is_described_by_its_kind_and_name(kong: Kong, gateway: Gateway) -> None:
    peers, name = Peers(gateway), uuid4().hex
    service, upstream = peers.new("services"), peers.new("upstreams")
    existing: list[tuple[EntityResource, Props, str]] = [
        (EntityResource(kong, SERVICE), {"host": "a", "name": name}, f"a service {name!r}"),
        (EntityResource(kong, UPSTREAM), {"name": name}, f"an upstream {name!r}"),
        (EntityResource(kong, CONSUMER), {"username": name}, f"a consumer {name!r}"),
        (
            EntityResource(kong, SNI),
            {"name": f"{name}.example", "certificate": peers.new("certificates")},
            f"a sni '{name}.example'",
        ),
        (
            TargetResource(kong, TARGET),
            {"upstream": upstream, "target": "127.0.0.1:80"},
            "a target '127.0.0.1:80'",
        ),
        (
            PluginResource(kong, PLUGIN),
            {"name": "cors", "service": service},
            f"a plugin 'cors' for service {service}",
        ),
    ]
    for resource, inputs, described in existing:
        object_id, _ = made(resource, "Other", inputs)
        with pytest.raises(PluginError) as error:
            resource.create(urn("Mine", "one"), checked(resource, inputs), preview=True)
        assert str(error.value).startswith(f"Kong already has {described} (id {object_id}, tags none, created ")
        assert f" {datetime.now(UTC):%Y-%m-%d} " in str(error.value)


def test_a_preview_of_an_update_writes_nothing(kong: Kong, gateway: Gateway) -> None:
    plugin = PluginResource(kong, PLUGIN)
    inputs = {"name": "key-auth", "service": Peers(gateway).new("services"), "config": {"key_names": ["a"]}}
    object_id, state = made(plugin, "KongPlugin", inputs)
    news = checked(plugin, inputs | {"config": {"key_names": ["b"]}})
    assert plugin.update(object_id, state, news, preview=True) == news
    assert gateway.call("GET", f"/plugins/{object_id}").json()["config"]["key_names"] == ["a"]


def test_a_deleted_target_drains_for_its_seconds(gateway: Gateway) -> None:
    pauses: list[float] = []

    def target() -> TargetResource:
        kong = Kong(wait=pauses.append)
        kong.configure({"adminUrl": gateway.admin})
        return TargetResource(kong, TARGET)

    upstream = Peers(gateway).new("upstreams")
    for seconds in (6, 0):
        inputs = {"upstream": upstream, "target": "127.0.0.1:80", "drain_seconds": seconds}
        target().delete(*made(target(), "KongTarget", inputs))
    assert pauses == [6, 0]


def test_rules_across_fields_name_one_field(kong: Kong) -> None:
    assert CONSUMER.fill_defaults({})[1] == [Failure("username", "a consumer must have a username or a custom_id")]
    assert CONSUMER.fill_defaults({"custom_id": "a"})[1] == []
    assert PLUGIN.fill_defaults({})[1] == [
        Failure("name", "is missing; only a class of plugin_configs.py names its plugin")
    ]
    no_address = PLUGIN.fill_defaults({"name": "ip-restriction", "config": {}})[1]
    assert [one.reason for one in no_address] == ["must set allow or deny"]
    limits = "must set a limit for one of second, minute, hour, day, month, year"
    assert [one.reason for one in PLUGIN.fill_defaults({"name": "rate-limiting"})[1]] == [limits]
    unknown = {"name": "rate-limiting", "config": {"minute": UNKNOWN}}
    assert PLUGIN.fill_defaults(unknown)[1] == []
    assert ROUTE.fill_defaults({"hosts": ["a"], "protocols": ["http", "tcp"]})[1] == []
    expired = dict(zip(("cert", "key"), certificate(HOSTNAME, days=(-9, -1)), strict=True))
    [failure] = CertificateResource(kong, CERTIFICATE).check(urn("KongCertificate", "a"), expired, {})[1]
    assert failure.property == ""
