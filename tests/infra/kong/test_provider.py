"""Create, read, update and delete against an Admin API over HTTP, and the errors they raise."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.ownership import entity_id
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.entity import Entity
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.plugin import PluginError
from infra.props import UNKNOWN, Props
from tests.faults.proxy import Exchange, FaultProxy
from tests.infra.kong.entities import checked, live, made, urn
from tests.offline.peers import Gateway


def test_defaults_of_kong_are_no_drift(kong: Kong) -> None:
    upstream = EntityResource(kong, UPSTREAM)
    object_id, state = made(
        upstream, "KongUpstream", {"name": uuid4().hex, "healthchecks": {"active": {"http_path": "/readyz"}}}
    )
    assert upstream.diff(live(upstream, object_id, state), state) == set()


def test_a_repeated_create_addresses_the_same_entity(kong: Kong, gateway: Gateway) -> None:
    service = EntityResource(kong, SERVICE)
    inputs = checked(service, {"host": "a.example", "name": uuid4().hex})
    first = service.create(urn("KongService", "one"), inputs, preview=False)
    assert service.create(urn("KongService", "one"), inputs, preview=False) == first
    assert gateway.call("GET", f"/services/{inputs['name']}").json()["id"] == first[0]


def test_an_id_depends_on_stack_type_and_logical_name() -> None:
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
    service = EntityResource(kong, SERVICE)
    inputs = checked(service, {"host": "a.example", "name": uuid4().hex})
    object_id, _ = service.create(urn("KongService", inputs["name"]), inputs, preview=True)
    assert gateway.call("GET", f"/services/{object_id}").status_code == 404
    assert service.create(urn("KongService", inputs["name"]), inputs, preview=False)[0] == object_id


def test_a_delete_names_the_route_that_uses_the_service(kong: Kong, gateway: Gateway) -> None:
    service = EntityResource(kong, SERVICE)
    object_id, state = made(service, "KongService", {"host": "a.example", "name": uuid4().hex})
    foreign = f"route-of-someone-{uuid4().hex}"
    gateway.made("POST", f"/services/{object_id}/routes", {"name": foreign, "paths": ["/x"]})
    with pytest.raises(PluginError, match=f"used by route {foreign}.*Delete it"):
        EntityResource(kong, SERVICE).delete(object_id, state)


def test_a_delete_names_a_few_of_many_routes(kong: Kong, gateway: Gateway) -> None:
    service = EntityResource(kong, SERVICE)
    object_id, state = made(service, "KongService", {"host": "a.example"})
    for _ in range(8):
        gateway.made("POST", f"/services/{object_id}/routes", {"paths": ["/x"]})
    with pytest.raises(PluginError, match=r"used by routes .* and 3 more\. Delete them") as error:
        EntityResource(kong, SERVICE).delete(object_id, state)
    assert str(error.value).count("unnamed") == 5


def test_a_delete_of_a_missing_entity_succeeds(kong: Kong) -> None:
    service = EntityResource(kong, SERVICE)
    object_id, state = made(service, "KongService", {"host": "a.example"})
    service.delete(object_id, state)
    assert service.read(object_id, state), "the run that created it does not delete its replacement"
    for later_run in (EntityResource(kong, SERVICE), EntityResource(kong, SERVICE)):
        later_run.delete(object_id, state)
    assert service.read(object_id, state) is None


def test_a_target_is_created_once_updated_in_place_and_replaced_to_move(kong: Kong, gateway: Gateway) -> None:
    upstream_id, _ = made(EntityResource(kong, UPSTREAM), "KongUpstream", {"name": uuid4().hex})
    target = TargetResource(kong, TARGET)
    inputs = checked(target, {"upstream": upstream_id, "target": "127.0.0.1:8080"})
    object_id, state = target.create(urn("KongTarget", "one"), inputs, preview=False)
    assert target.create(urn("KongTarget", "one"), inputs, preview=False)[0] == object_id

    state = target.update(object_id, state, inputs | {"weight": 7}, preview=False)
    assert live(target, object_id, state)["weight"] == 7

    moved = inputs | {"target": "127.0.0.2:8080"}
    assert target.diff(inputs, moved) & target.replace_on_changes == {"target"}
    other_id, _ = target.create(urn("KongTarget", "one"), moved, preview=False)
    assert other_id != object_id
    for later_run in (TargetResource(kong, TARGET), TargetResource(kong, TARGET)):
        later_run.delete(object_id, state)
    rows = gateway.call("GET", f"/upstreams/{upstream_id}/targets").json()["data"]
    assert [row["target"] for row in rows] == ["127.0.0.2:8080"]


def test_a_target_whose_response_was_lost_is_created_once(gateway: Gateway) -> None:
    upstream = gateway.made("POST", "/upstreams", {"name": uuid4().hex})["id"]
    lost: list[bytes] = []

    def lose_first(exchange: Exchange) -> None:
        if lost:
            return exchange.pass_on()
        lost.append(exchange.forward())
        return exchange.drop()

    host, _, port = gateway.admin.removeprefix("http://").partition(":")
    proxy = FaultProxy(("127.0.0.1", 0), (host, int(port)))
    proxy.arm("POST /upstreams", lose_first)
    kong = Kong()
    kong.configure({"adminUrl": f"http://127.0.0.1:{proxy.port}"})
    object_id, _ = made(
        TargetResource(kong, TARGET), "KongTarget", {"upstream": upstream, "target": "127.0.0.1:80"}
    )
    proxy.close()
    assert b" 201 " in lost[0]
    rows = gateway.call("GET", f"/upstreams/{upstream}/targets").json()["data"]
    assert [row["id"] for row in rows] == [object_id]


def test_a_target_with_a_drifted_address_is_reverted_in_place(kong: Kong, gateway: Gateway) -> None:
    upstream, _ = made(EntityResource(kong, UPSTREAM), "KongUpstream", {"name": uuid4().hex})
    target, mine = TargetResource(kong, TARGET), urn("KongTarget", "one")
    inputs = checked(target, {"upstream": upstream, "target": "127.0.0.1:80"})
    object_id, state = target.create(mine, inputs, preview=False)
    rows = f"/upstreams/{upstream}/targets"
    gateway.made("PATCH", f"{rows}/{object_id}", {"target": "127.0.0.2:80"})

    drifted = live(target, object_id, state)
    assert target.diff(drifted, inputs) == {"target"}
    assert target.keeps_id(mine, object_id, inputs), "a replacement would have the same id"
    target.update(object_id, drifted, inputs, preview=False)
    assert [row["target"] for row in gateway.call("GET", rows).json()["data"]] == ["127.0.0.1:80"]
    assert not target.keeps_id(mine, object_id, inputs | {"target": "127.0.0.3:80"})


@pytest.mark.parametrize(
    ("given", "kept"),
    [("[::1]:80", "[0000:0000:0000:0000:0000:0000:0000:0001]:80"), ("10.0.0.1:080", "10.0.0.1:80")],
)
def test_an_address_is_normalized_as_kong_stores_it(kong: Kong, given: str, kept: str) -> None:
    upstream, _ = made(EntityResource(kong, UPSTREAM), "KongUpstream", {"name": uuid4().hex})
    target = TargetResource(kong, TARGET)
    object_id, state = made(target, "KongTarget", {"upstream": upstream, "target": given})
    assert state["target"] == kept
    assert live(target, object_id, state) == state


@pytest.mark.parametrize(
    ("protocol", "matchers"),
    [
        ("tcp", {"sources": [{"ip": "10.0.0.1"}]}),
        ("udp", {"destinations": [{"port": 53}]}),
        ("tls", {"snis": ["a.example"]}),
        ("tls_passthrough", {"snis": ["a.example"]}),
        ("grpcs", {"snis": ["a.example"]}),
        ("grpc", {"hosts": ["a.example"]}),
    ],
)
def test_a_route_matches_by_the_fields_of_its_protocol(kong: Kong, protocol: str, matchers: Props) -> None:
    route = EntityResource(kong, ROUTE)
    object_id, state = made(route, "KongRoute", {"protocols": [protocol], **matchers})
    assert live(route, object_id, state) == state
    _, failures = ROUTE.fill_defaults({"protocols": [protocol], "methods": ["GET"]})
    assert [failure.reason for failure in failures if "must set one of" in failure.reason]


def test_a_set_has_no_duplicates() -> None:
    _, failures = SERVICE.fill_defaults({"host": "a.example", "tags": ["t", "u", "t"]})
    assert [(failure.property, failure.reason) for failure in failures] == [("tags", "duplicate item 't'")]


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
        (SERVICE, {"host": "123"}, "host"),
        (TARGET, {"upstream": "u", "target": "no-port"}, "target"),
        (TARGET, {"upstream": "u", "target": "::1:80"}, "target"),
        (TARGET, {"upstream": "u", "target": "[a]:80"}, "target"),
        (TARGET, {"upstream": "u", "target": "010.0.0.1:80"}, "target"),
        (TARGET, {"upstream": "u", "target": "a:1", "weight": -1}, "weight"),
    ],
)
def test_invalid_inputs_are_rejected_without_kong(entity: Entity, inputs: Props, named: str) -> None:
    _, failures = entity.fill_defaults(inputs)
    assert [failure.property for failure in failures] == [named]


def test_all_invalid_inputs_are_reported_at_once() -> None:
    _, failures = SERVICE.fill_defaults({"port": -1, "path": "x", "retries": "many"})
    assert {failure.property for failure in failures} == {"host", "port", "path", "retries"}


def test_unknown_values_are_not_validated() -> None:
    filled, failures = TARGET.fill_defaults({"upstream": UNKNOWN, "target": UNKNOWN})
    assert failures == []
    assert filled["target"] == UNKNOWN
