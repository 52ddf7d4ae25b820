"""What a user reads when Kong rejects a write, and what an import finds."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import PluginResource
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CONSUMER, PLUGIN
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.plugin import PluginError
from infra.props import Props
from tests.infra.kong.entities import Peers, made
from tests.offline.peers import NO_ONE, Gateway

CONFIGS: dict[str, Props] = {"key-auth": {"key_names": ["k"]}, "opentelemetry": {"endpoint": "http://a.example"}}


@pytest.mark.parametrize("tags", [None, ["a", "b"]])
def test_a_taken_name_is_reported_with_who_has_it(kong: Kong, gateway: Gateway, tags: list[str] | None) -> None:
    taken, resource = uuid4().hex, EntityResource(kong, UPSTREAM)
    theirs = gateway.made("POST", "/upstreams", {"name": taken, "tags": tags})["id"]
    object_id, state = made(resource, "KongUpstream", {"name": uuid4().hex})
    with pytest.raises(PluginError) as error:
        resource.update(object_id, state, state | {"name": taken}, preview=False)
    assert str(error.value).startswith(f"PUT /upstreams/{object_id}: ")
    assert str(error.value).endswith(
        f" by id {theirs}, tags {tags or 'none'}. Delete or rename the existing one, then run again."
    )


def test_a_parent_that_was_deleted_is_named(kong: Kong) -> None:
    with pytest.raises(PluginError) as error:
        made(TargetResource(kong, TARGET), "KongTarget", {"upstream": NO_ONE, "target": "a.example:80"})
    assert str(error.value) == f"upstreams/{NO_ONE} no longer exists in Kong; run pulumi up --refresh"


def test_what_uses_an_entity_is_named_in_full(kong: Kong, gateway: Gateway) -> None:
    resource, name = EntityResource(kong, SERVICE), uuid4().hex
    _, state = made(resource, "KongService", {"host": "a.example", "name": name})
    # The process that created it never deletes it.
    later = Kong(wait=lambda _: None)
    later.configure({"adminUrl": gateway.admin})
    object_id = gateway.call("GET", f"/services/{name}").json()["id"]
    routes = [
        gateway.made("POST", f"/services/{object_id}/routes", {"paths": ["/a"], "name": route})["id"]
        for route in (None, f"{name}-b")
    ]
    with pytest.raises(PluginError) as error:
        EntityResource(later, SERVICE).delete(object_id, state)
    listed = {f"unnamed (id {routes[0]})", f"{name}-b (id {routes[1]})"}
    begin = f"{name} can't be deleted, since it is used by routes "
    end = ". Delete them, or point them elsewhere, then run again."
    message = str(error.value)
    assert set(message.removeprefix(begin).removesuffix(end).split(", ")) == listed


def test_an_import_needs_the_parent(kong: Kong) -> None:
    with pytest.raises(PluginError) as error:
        TargetResource(kong, TARGET).read("a.example:80", {})
    assert str(error.value) == "targets are imported by UPSTREAM/TARGET, not by 'a.example:80'"


def test_an_imported_plugin_has_its_whole_config(kong: Kong, gateway: Gateway) -> None:
    service, plugin = Peers(gateway).new("services"), PluginResource(kong, PLUGIN)
    for name in ("key-auth", "opentelemetry"):
        row = gateway.made("POST", f"/services/{service}/plugins", {"name": name, "config": CONFIGS[name]})
        found = plugin.read(row["id"], {})
        assert found is not None
        assert found[2]["config"] == {field: row["config"][field] for field in found[2]["config"]}
        assert len(found[2]["config"]) > 1


def test_a_missing_entity_is_not_read(kong: Kong) -> None:
    for entity in (SERVICE, ROUTE, UPSTREAM, CONSUMER):
        assert EntityResource(kong, entity).read(NO_ONE, {}) is None


def test_an_invalid_config_is_a_failure_of_its_field() -> None:
    config = {"minute": "many", "polcy": "local"}
    failures = PLUGIN.fill_defaults({"name": "rate-limiting", "config": config})[1]
    assert {failure.property for failure in failures} >= {"config.minute"}
