"""Plugins, consumers and keys in the Admin API."""

import pytest

from tests.offline.peers import Gateway, Json, refusal


def test_a_plugin_is_unique_in_its_scope_and_its_config_merges(
    gateway: Gateway, service: dict[str, Json], name: str
) -> None:
    path = f"/services/{name}/plugins"
    plugin = gateway.made("POST", path, {"name": "rate-limiting", "config": {"minute": 5, "redis": {"host": "r"}}})
    assert (plugin["config"]["redis"]["host"], plugin["config"]["redis_host"]) == ("r", "r")
    assert (plugin["config"]["limit_by"], plugin["config"]["hour"]) == ("consumer", None)
    again = gateway.call("POST", path, {"name": "rate-limiting", "config": {"minute": 5}})
    scope = {"name": "rate-limiting", "service": {"id": service["id"]}, "route": None, "consumer": None}
    assert refusal(again) == (409, 5, scope)
    config = gateway.made("PATCH", f"/plugins/{plugin['id']}", {"config": {"hour": 9}})["config"]
    assert (config["minute"], config["hour"], config["redis_host"]) == (5, 9, "r")
    form = gateway.call("PATCH", f"/plugins/{plugin['id']}", data={"config.minute": "6"}).json()
    assert (form["config"]["minute"], form["config"]["hour"]) == (6, 9)
    assert gateway.made("PUT", f"/plugins/{plugin['id']}", {k: plugin[k] for k in ("name", "config", "service")})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name": "required field missing"}),
        ({"name": "key-auth", "config": {"bogus": 1}}, {"config": {"bogus": "unknown field"}}),
        (
            {"name": "rate-limiting", "config": {"minute": 0}},
            {"config": {"minute": "value must be greater than 0"}},
        ),
    ],
)
def test_an_invalid_plugin_gets_its_errors(
    gateway: Gateway, body: dict[str, Json], fields: dict[str, Json]
) -> None:
    assert refusal(gateway.call("POST", "/plugins", body)) == (400, 2, fields)
    assert refusal(gateway.call("POST", "/schemas/plugins/validate", body)) == (400, 2, fields)


def test_a_consumers_keys_are_unique_and_deleted_with_it(gateway: Gateway, name: str) -> None:
    assert set(refusal(gateway.call("POST", "/consumers", {}))[2]) == {"@entity"}
    gateway.made("PUT", f"/consumers/{name}", {"custom_id": name})
    key = gateway.made("POST", f"/consumers/{name}/key-auth", {})
    assert len(key["key"]) == 32
    assert refusal(gateway.call("POST", f"/consumers/{name}/key-auth", {"key": key["key"]}))[:2] == (409, 5)
    assert [row["username"] for row in gateway.call("GET", f"/consumers?custom_id={name}").json()["data"]] == [
        name
    ]
    assert key in gateway.call("GET", "/key-auths").json()["data"]
    assert gateway.call("DELETE", f"/consumers/{name}").status_code == 204
    assert gateway.call("GET", f"/key-auths/{key['id']}").status_code == 404


def test_validation_stores_nothing(gateway: Gateway, name: str) -> None:
    answer = gateway.call("POST", "/schemas/services/validate", {"name": name, "host": "a"})
    assert (answer.status_code, answer.json()) == (200, {"message": "schema validation successful"})
    assert gateway.call("GET", f"/services/{name}").status_code == 404


REDIS = {"minute": 1, "policy": "redis"}


@pytest.mark.parametrize(
    ("plugin", "config", "faulty"),
    [
        ("ip-restriction", {}, {"@entity"}),
        ("ip-restriction", {"allow": []}, {"@entity"}),
        ("ip-restriction", {"allow": ["a.example"]}, {"config"}),
        ("ip-restriction", {"deny": ["10.0.0.0/33"]}, {"config"}),
        ("rate-limiting", REDIS, {"@entity", "config"}),
        ("rate-limiting", REDIS | {"redis": {"host": "a b"}}, {"config"}),
        ("rate-limiting", {"minute": 1, "limit_by": "header"}, {"@entity", "config"}),
        ("rate-limiting", {"minute": 1, "limit_by": "path"}, {"@entity", "config"}),
        ("rate-limiting", {"second": 5, "minute": 9, "day": 7}, {"config"}),
        ("rate-limiting", {"minute": 1, "sync_rate": 1}, {"config"}),
        ("cors", {"origins": ["("]}, {"config"}),
        ("opentelemetry", {}, {"config"}),
    ],
)
def test_an_invalid_config_is_refused_as_in_kong(
    gateway: Gateway, plugin: str, config: dict[str, Json], faulty: set[str]
) -> None:
    status, code, fields = refusal(gateway.call("POST", "/plugins", {"name": plugin, "config": config}))
    assert (status, code, set(fields)) == (400, 2, faulty)


@pytest.mark.parametrize("plugin", ["key-auth", "cors", "basic-auth"])
def test_some_plugins_are_not_for_single_consumers_or_streams(gateway: Gateway, name: str, plugin: str) -> None:
    consumer = gateway.made("PUT", f"/consumers/{name}", {})
    body = {"name": plugin, "consumer": {"id": consumer["id"]}, "protocols": ["tcp"]}
    assert set(refusal(gateway.call("POST", "/plugins", body))[2]) == {"consumer", "protocols"}
