"""The rules of the policy pack: each accepts valid resources, and rejects others with advice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs
from pulumi_policy.policy import PolicyCustomTimeouts
from pulumi_policy.proxy import unknown_checking_proxy

from infra.plan.recorder import record_plan
from infra.plan.stack_file import stack_files, stack_name
from infra.policy.containers import CONTAINER
from infra.policy.declared import Declared
from infra.policy.pack import resource_policy
from infra.policy.routes import PLUGIN, ROUTE, SERVICE, TARGET, UPSTREAM
from infra.policy.rules import RECORD, RULES, STACK_RULES, VOLUME
from infra.props import UNKNOWN

CONTENT = "0123456789abcdef"
VALID: dict[str, dict[str, Any]] = {
    CONTAINER: {
        "image": f"api:{CONTENT}",
        "user": "10001:10001",
        "readOnly": True,
        "memory": 512,
        "memorySwap": 512,
        "ulimits": [{"name": "nofile", "soft": 9, "hard": 9}],
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m"},
    },
    ROUTE: {"hosts": ["api.example.com"], "service": "s"},
    RECORD: {"ttl": 300},
    VOLUME: {},
}


def resource(
    kind: str,
    changed: Mapping[str, object] | None = None,
    *,
    stack: str = "prod",
    protect: bool = True,
    dependencies: Mapping[str, list[str]] | None = None,
) -> Declared:
    """Return a resource that violates no rule, except by the changed inputs; None removes an input."""
    inputs = VALID.get(kind, {}) | dict(changed or {})
    return Declared(
        urn=f"urn:pulumi:{stack}::p::{kind}::x",
        type=kind,
        inputs={name: value for name, value in inputs.items() if value is not None},
        protect=protect,
        dependencies=dependencies or {},
    )


def find_violations(*stack: Declared) -> list[tuple[str, str]]:
    """Return the rule and the message of each violation."""
    single = [(rule.name, message) for rule in RULES for each in stack for message in rule.find_violations(each)]
    return single + [(rule.name, message) for rule in STACK_RULES for _, message in rule.find_violations(stack)]


@pytest.mark.parametrize("file", stack_files(), ids=stack_name)
def test_no_stack_violates_a_rule(file: Path) -> None:
    resources, _ = record_plan(file)
    stack = [
        Declared(
            urn=each.urn,
            type=each.type,
            inputs=each.inputs,
            protect=each.protect,
            dependencies=each.dependencies,
        )
        for each in resources
    ]
    assert find_violations(*stack) == []


@pytest.mark.parametrize("kind", [CONTAINER, RECORD, VOLUME])
def test_a_valid_resource_is_accepted(kind: str) -> None:
    assert find_violations(resource(kind)) == []


@pytest.mark.parametrize(
    ("rule", "kind", "changed", "advice"),
    [
        (
            "no-published-port",
            CONTAINER,
            {"ports": [{"internal": 8080}]},
            "every address of its host",
        ),
        ("no-published-port", CONTAINER, {"ports": [{"internal": 8080, "ip": "::"}]}, "set a private `ip`"),
        ("no-published-port", CONTAINER, {"ports": [{"internal": 8080, "ip": "203.0.113.5"}]}, "at 203.0.113.5"),
        ("no-published-port", CONTAINER, {"publishAllPorts": True}, "remove `publishAllPorts`"),
        ("no-published-port", CONTAINER, {"networkMode": "host"}, "set `networksAdvanced` instead"),
        ("no-root", CONTAINER, {"user": None}, "set `user`"),
        ("no-root", CONTAINER, {"user": "0:10001"}, "set `user`"),
        ("no-root", CONTAINER, {"user": "root"}, "set `user`"),
        ("read-only-root", CONTAINER, {"readOnly": None}, "set `readOnly`"),
        ("read-only-root", CONTAINER, {"readOnly": False}, "set `readOnly`"),
        ("limits", CONTAINER, {"memory": None}, "set `memory`"),
        ("limits", CONTAINER, {"memorySwap": -1}, "set `memorySwap`"),
        ("limits", CONTAINER, {"ulimits": [{"name": "nproc"}]}, "remove it from `ulimits`"),
        ("limits", CONTAINER, {"logDriver": None, "logOpts": None}, "max-size"),
        ("pinned-image", CONTAINER, {"image": "api:latest"}, "use a digest"),
        ("pinned-image", CONTAINER, {"image": "registry:5000/api"}, "use a digest"),
        ("ttl", RECORD, {"ttl": 5}, "from 30 to 3600"),
        ("ttl", RECORD, {"ttl": 86400}, "from 30 to 3600"),
        ("ttl", RECORD, {"ttl": None}, "from 30 to 3600"),
    ],
)
def test_a_violation_is_rejected_with_advice(
    rule: str, kind: str, changed: Mapping[str, object], advice: str
) -> None:
    ((name, message),) = find_violations(resource(kind, changed))
    assert name == rule
    assert advice in message


@pytest.mark.parametrize(
    ("hosts", "advice"),
    [(None, "set `hosts`"), ([], "set `hosts`"), (["*.example.com"], "list the host names")],
)
def test_a_route_matches_its_own_host_names_only(hosts: list[str] | None, advice: str) -> None:
    ((name, message),) = find_violations(resource(ROUTE, {"hosts": hosts}, stack="dev"))
    assert name == "narrow-route"
    assert advice in message


@pytest.mark.parametrize("kind", [RECORD, VOLUME])
@pytest.mark.parametrize(
    ("stack", "rejected"),
    [("prod", True), ("production", True), ("prod-eu", True), ("dev", False), ("product-demo", False)],
)
def test_record_and_data_are_protected_in_prod(kind: str, stack: str, rejected: bool) -> None:
    violations = find_violations(resource(kind, stack=stack, protect=False))
    assert [name for name, _ in violations] == ["protected-in-prod"] * rejected
    assert all("config set protect true" in message for _, message in violations)


@pytest.mark.parametrize(
    ("plugin", "is_open"),
    [
        (None, True),
        ({"name": "key-auth"}, False),
        ({"name": "key-auth", "service": "s"}, False),
        ({"name": "key-auth", "service": "another"}, True),
        ({"name": "key-auth", "enabled": False}, True),
        ({"name": "key-auth", "consumer": "c"}, True),
        ({"name": "key-auth", "route": "another"}, True),
        ({"name": "cors"}, True),
        ({"name": "acl", "config": {"allow": ["g"]}}, True),
        ({"name": UNKNOWN, "config": UNKNOWN}, False),
        ({"name": "key-auth", "service": UNKNOWN}, False),
    ],
)
def test_a_route_in_prod_has_key_auth(plugin: dict[str, object] | None, is_open: bool) -> None:
    acl = resource(PLUGIN, {"name": "acl", "config": {"allow": ["g"]}})
    violations = find_violations(resource(ROUTE), acl, *([resource(PLUGIN, plugin)] if plugin else []))
    assert [name for name, _ in violations] == ["key-auth-in-prod"] * is_open
    assert all("config set keyAuth true" in message for _, message in violations)


def test_key_auth_may_be_for_the_route_and_is_optional_in_dev() -> None:
    route = resource(ROUTE)
    plugins = [
        resource(PLUGIN, given | {"route": "r"}, dependencies={"route": [route.urn]})
        for given in ({"name": "key-auth"}, {"name": "acl", "config": {"allow": ["g"]}})
    ]
    assert find_violations(route, *plugins) == []
    assert find_violations(resource(ROUTE, stack="dev")) == []


@pytest.mark.parametrize(
    ("acl", "is_open"),
    [
        (None, True),
        ({"config": {"allow": ["g"]}}, False),
        ({"config": {"allow": UNKNOWN}}, False),
        ({"config": UNKNOWN}, False),
        ({"config": {"deny": ["g"]}}, True),
        ({"config": {"allow": ["g"]}, "enabled": False}, True),
        ({"config": {"allow": ["g"]}, "service": "another"}, True),
    ],
)
def test_a_route_in_prod_admits_its_own_consumers_only(acl: dict[str, object] | None, is_open: bool) -> None:
    plugins = [resource(PLUGIN, {"name": "acl", **acl})] if acl else []
    violations = find_violations(resource(ROUTE), resource(PLUGIN, {"name": "key-auth"}), *plugins)
    assert [name for name, _ in violations] == ["acl-in-prod"] * is_open
    assert all("add the acl plugin with a group in `allow`" in message for _, message in violations)
    assert find_violations(resource(ROUTE, stack="dev"), resource(PLUGIN, {"name": "key-auth"}, stack="dev")) == []


@pytest.mark.parametrize(
    ("service", "rejected"),
    [
        ({"host": "session_context"}, False),
        ({"host": "10.1.2.3"}, False),
        ({"host": "100.64.0.7"}, False),
        ({"host": "api.internal"}, False),
        ({"host": "api.example.com", "protocol": "https"}, False),
        ({"host": UNKNOWN}, False),
        ({"host": "api.example.com"}, True),
        ({"host": "8.8.8.8", "protocol": "http"}, True),
        ({"host": "2001:4860:4860::8888", "protocol": "http"}, True),
    ],
)
def test_plain_http_is_for_private_hosts_only(service: dict[str, object], rejected: bool) -> None:
    violations = find_violations(resource(SERVICE, service))
    assert [name for name, _ in violations] == ["no-plain-http-outside"] * rejected
    assert all("set `protocol` to https" in message for _, message in violations)


@pytest.mark.parametrize(("target", "count"), [("c1:8080", 0), ("api.example.com:80", 1), (UNKNOWN, 0)])
def test_plain_http_is_checked_for_the_targets_of_an_upstream(target: str, count: int) -> None:
    upstream = resource(UPSTREAM, {"name": "up.example.com"})
    its_target = resource(TARGET, {"target": target}, dependencies={"upstream": [upstream.urn]})
    violations = find_violations(
        upstream, its_target, resource(SERVICE, {"host": "up.example.com", "protocol": "http"})
    )
    assert len(violations) == count


@pytest.mark.parametrize("kind", [CONTAINER, ROUTE, RECORD])
def test_an_unknown_value_violates_no_rule(kind: str) -> None:
    for name in VALID[kind]:
        assert find_violations(resource(kind, {name: UNKNOWN}, stack="dev")) == []
    assert find_violations(resource(CONTAINER, {"ulimits": [UNKNOWN], "ports": UNKNOWN})) == []
    assert find_violations(resource(ROUTE, {"hosts": [UNKNOWN]}, stack="dev")) == []


def test_a_container_that_never_runs_needs_no_limits() -> None:
    bare = {"start": False, "user": None, "readOnly": None, "memory": None, "memorySwap": None, "ulimits": None}
    assert find_violations(resource(CONTAINER, bare)) == []


def test_the_pack_checks_the_rest_beside_unknown_values() -> None:
    rule = next(rule for rule in RULES if rule.name == "limits")
    inputs = VALID[CONTAINER] | {"memory": UNKNOWN, "memorySwap": -1, "ulimits": [{"name": UNKNOWN}]}
    messages: list[str] = []
    options = PolicyResourceOptions(True, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    props = unknown_checking_proxy(inputs)
    args = ResourceValidationArgs(CONTAINER, props, "urn:pulumi:dev::p::t::n", "n", options, None)
    resource_policy(rule).validate(args, lambda message, _: messages.append(message))
    assert messages == ["has no memory limit; set `memorySwap`, in MB"]
