"""The configs of plugins: every field of the typed ones, and what is managed of the others."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource_types import PluginResource
from infra.kong.schema.access import PLUGIN
from infra.kong.schema.entity import fields_of
from infra.kong.schema.plugin_configs import CONFIGS
from infra.props import UNKNOWN, Props
from tests.infra.kong.entities import Peers, checked, live, patch, urn
from tests.offline.peers import Gateway

NEEDED: dict[str, Props] = {
    "acl": {"allow": ["a"]},
    "rate-limiting": {"minute": 5},
    "ip-restriction": {"deny": ["10.0.0.1"]},
    "cors": {},
}
OTHER_CONFIG: dict[str, dict[str, object]] = {
    "acl": {"allow": ["b", "c"], "deny": ["b"], "hide_groups_header": True},
    "key-auth": {
        "key_names": ["x-key"], "hide_credentials": True, "anonymous": "nobody", "key_in_header": False,
        "key_in_query": False, "key_in_body": True, "run_on_preflight": False, "realm": "r",
    },
    "rate-limiting": {
        "second": 1, "minute": 2, "hour": 30, "day": 40, "month": 50, "year": 60, "limit_by": "ip",
        "header_name": "x-a", "path": "/a", "policy": "redis", "fault_tolerant": False,
        "hide_client_headers": True, "error_code": 430, "error_message": "slow", "sync_rate": 1,
        "redis": {"host": "r.example", "port": 1},
    },
    "request-size-limiting": {"allowed_payload_size": 1, "size_unit": "bytes", "require_content_length": True},
    "correlation-id": {"header_name": "X-B", "generator": "uuid", "echo_downstream": True},
    "cors": {
        "origins": ["https://a.example"], "headers": ["X-A"], "exposed_headers": ["X-A"], "methods": ["GET"],
        "max_age": 60, "credentials": True, "private_network": True, "preflight_continue": True,
    },
    "ip-restriction": {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.2"], "status": 404, "message": "no"},
}  # fmt: skip
BESIDE: dict[tuple[str, str], Props] = {
    ("acl", "deny"): {"allow": None},
    ("rate-limiting", "policy"): {"redis": {"host": "r.example"}},
    ("rate-limiting", "header_name"): {"limit_by": "header"},
    ("rate-limiting", "path"): {"limit_by": "path"},
    ("rate-limiting", "sync_rate"): {"policy": "redis", "redis": {"host": "r.example"}},
}


@pytest.mark.parametrize(
    ("plugin", "field"), [(name, field) for name in CONFIGS for field in fields_of(CONFIGS[name])]
)
def test_each_field_of_a_known_config_is_set_cleared_and_its_drift_seen(
    kong: Kong, gateway: Gateway, plugin: str, field: str
) -> None:
    resource = PluginResource(kong, PLUGIN)
    given = {"name": plugin, "service": Peers(gateway).new("services"), "config": NEEDED.get(plugin, {})}
    plain = checked(resource, given)
    object_id, state = resource.create(urn("KongPlugin", uuid4().hex), plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()

    beside = BESIDE.get((plugin, field), {})
    changed = checked(
        resource, given | {"config": NEEDED.get(plugin, {}) | beside | {field: OTHER_CONFIG[plugin][field]}}
    )
    assert resource.diff(state, changed) == {"config"}
    state = resource.update(object_id, state, changed, preview=False)
    assert resource.diff(live(resource, object_id, state), changed) == set()

    state = resource.update(object_id, state, plain, preview=False)
    assert resource.diff(live(resource, object_id, state), plain) == set()
    by_hand = {"config": beside | {field: OTHER_CONFIG[plugin][field]}}
    assert patch(gateway, PLUGIN, resource, object_id, plain, by_hand)
    if field != "redis":  # of a record only what is given is managed
        assert resource.diff(live(resource, object_id, state), plain) == {"config"}


def test_of_another_plugin_only_what_is_given_is_managed(kong: Kong) -> None:
    def live_config(given: Props, found: Props) -> object:
        return PluginResource(kong, PLUGIN)._live("config", {"name": "statsd", "config": found}, {"config": given})

    assert live_config({"b": {"c": 1}}, {"a": 1, "b": {"c": 2, "d": 3}}) == {"b": {"c": 2}}
    # Kong fills in what the records of a list leave out; one more or less of them is drift.
    metrics = [{"name": "latency", "stat_type": "timer"}]
    filled = [metrics[0] | {"sample_rate": None}]
    assert live_config({"metrics": metrics}, {"metrics": filled}) == {"metrics": metrics}
    assert live_config({"metrics": metrics}, {"metrics": [*filled, *filled]}) == {"metrics": [*filled, *filled]}


def test_of_another_plugin_a_null_is_what_kong_has_and_so_are_protocols(kong: Kong) -> None:
    plugin = PluginResource(kong, PLUGIN)
    filled, failures = PLUGIN.complete({"name": "statsd", "config": {"a": None, "b": 1}})
    assert (filled["config"], filled["protocols"], failures) == ({"b": 1}, None, [])
    assert "protocols" not in plugin._document(filled)
    found = {"name": "statsd", "protocols": ["http"]}
    assert plugin._live("protocols", found, filled) is None
    assert plugin._live("protocols", found, filled | {"protocols": ["https"]}) == ["http"]
    known, _ = PLUGIN.complete({"name": "ip-restriction", "config": {"deny": ["10.0.0.1"]}})
    assert "tcp" in known["protocols"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"minute": 10, "hour": 5}, "hour 5 can't be below minute 10"),
        ({"minute": 1, "sync_rate": 2}, "sync_rate goes with the policy redis alone"),
        ({}, "must set a limit"),
    ],
)
def test_limits_that_do_not_go_together_are_refused_before_kong_is_asked(config: Props, says: str) -> None:
    _, failures = PLUGIN.complete({"name": "rate-limiting", "config": config})
    assert [failure.reason[: len(says)] for failure in failures] == [says]


def test_acl_either_lets_groups_in_or_keeps_them_out() -> None:
    wrong: list[Props] = [{}, {"allow": []}, {"allow": ["a"], "deny": ["b"]}]
    for config in wrong:
        _, failures = PLUGIN.complete({"name": "acl", "config": config})
        assert [failure.reason for failure in failures] == ["must set one of allow and deny"]
    assert PLUGIN.complete({"name": "acl", "config": {"allow": UNKNOWN, "deny": None}})[1] == []
