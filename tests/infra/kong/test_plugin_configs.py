"""The configs of plugins: every field of the typed ones, and the managed part of the others."""

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
def test_each_field_of_a_typed_config_is_set_cleared_and_its_drift_detected(
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
    if field != "redis":  # only the given part of a record is managed
        assert resource.diff(live(resource, object_id, state), plain) == {"config"}


def test_only_the_given_part_of_an_untyped_config_is_managed(kong: Kong) -> None:
    def live_config(given: Props, found: Props) -> object:
        return PluginResource(kong, PLUGIN)._live_value(
            "config", {"name": "statsd", "config": found}, {"config": given}
        )

    assert live_config({"b": {"c": 1}}, {"a": 1, "b": {"c": 2, "d": 3}}) == {"b": {"c": 2}}
    # Kong fills in defaults in the records of a list; another number of records is drift.
    metrics = [{"name": "latency", "stat_type": "timer"}]
    filled = [metrics[0] | {"sample_rate": None}]
    assert live_config({"metrics": metrics}, {"metrics": filled}) == {"metrics": metrics}
    assert live_config({"metrics": metrics}, {"metrics": [*filled, *filled]}) == {"metrics": [*filled, *filled]}


def test_nulls_and_protocols_of_an_untyped_config_are_left_to_kong(kong: Kong) -> None:
    plugin = PluginResource(kong, PLUGIN)
    filled, failures = PLUGIN.fill_defaults({"name": "statsd", "config": {"a": None, "b": 1}})
    assert (filled["config"], filled["protocols"], failures) == ({"b": 1}, None, [])
    assert "protocols" not in plugin._request_body(filled)
    found = {"name": "statsd", "protocols": ["http"]}
    assert plugin._live_value("protocols", found, filled) is None
    assert plugin._live_value("protocols", found, filled | {"protocols": ["https"]}) == ["http"]
    known, _ = PLUGIN.fill_defaults({"name": "ip-restriction", "config": {"deny": ["10.0.0.1"]}})
    assert "tcp" in known["protocols"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"minute": 10, "hour": 5}, "the limit 5 of hour must not be below 10 of minute"),
        ({"minute": 1, "sync_rate": 2}, "sync_rate requires the policy redis"),
        ({}, "must set a limit"),
    ],
)
def test_inconsistent_limits_are_rejected_without_kong(config: Props, expected: str) -> None:
    _, failures = PLUGIN.fill_defaults({"name": "rate-limiting", "config": config})
    assert [failure.reason[: len(expected)] for failure in failures] == [expected]


def test_acl_either_allows_or_denies_groups() -> None:
    invalid: list[Props] = [{}, {"allow": []}, {"allow": ["a"], "deny": ["b"]}]
    for config in invalid:
        _, failures = PLUGIN.fill_defaults({"name": "acl", "config": config})
        assert [failure.reason for failure in failures] == ["must set one of allow and deny"]
    assert PLUGIN.fill_defaults({"name": "acl", "config": {"allow": UNKNOWN, "deny": None}})[1] == []
