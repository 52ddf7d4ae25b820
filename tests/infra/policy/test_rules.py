"""The policy pack's rules: each lets the good through and says of the bad what to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs
from pulumi_policy.policy import PolicyCustomTimeouts
from pulumi_policy.proxy import unknown_checking_proxy

from infra.plan.recorder import declared
from infra.plan.stack_file import stack_files, stack_of
from infra.policy.declared import Declared
from infra.policy.pack import resource_policy
from infra.policy.routes import PLUGIN, ROUTE, SERVICE, TARGET, UPSTREAM
from infra.policy.rules import CONTAINER, RECORD, RULES, STACK_RULES, VOLUME
from infra.props import UNKNOWN

CONTENT = "0123456789abcdef"
GOOD: dict[str, dict[str, Any]] = {
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
    """A resource that keeps every rule but for what is changed; None takes an input away."""
    inputs = GOOD.get(kind, {}) | dict(changed or {})
    return Declared(
        urn=f"urn:pulumi:{stack}::p::{kind}::x",
        type=kind,
        inputs={name: value for name, value in inputs.items() if value is not None},
        protect=protect,
        dependencies=dependencies or {},
    )


def broken(*stack: Declared) -> list[tuple[str, str]]:
    """Rule and message of all that is broken."""
    alone = [(rule.name, message) for rule in RULES for each in stack for message in rule.broken(each)]
    return alone + [(rule.name, message) for rule in STACK_RULES for _, message in rule.broken(stack)]


@pytest.mark.parametrize("file", stack_files(), ids=stack_of)
def test_every_stack_keeps_every_rule(file: Path) -> None:
    resources, _ = declared(file)
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
    assert broken(*stack) == []


@pytest.mark.parametrize("kind", [CONTAINER, RECORD, VOLUME])
def test_the_good_is_let_through(kind: str) -> None:
    assert broken(resource(kind)) == []


@pytest.mark.parametrize(
    ("rule", "kind", "changed", "advice"),
    [
        ("no-published-port", CONTAINER, {"ports": [{"internal": 8080}]}, "remove `ports`"),
        ("no-published-port", CONTAINER, {"publishAllPorts": True}, "remove `publishAllPorts`"),
        ("no-published-port", CONTAINER, {"networkMode": "host"}, "name a network in `networksAdvanced`"),
        ("no-root", CONTAINER, {"user": None}, "set `user`"),
        ("no-root", CONTAINER, {"user": "0:10001"}, "set `user`"),
        ("no-root", CONTAINER, {"user": "root"}, "set `user`"),
        ("read-only-root", CONTAINER, {"readOnly": None}, "set `readOnly`"),
        ("read-only-root", CONTAINER, {"readOnly": False}, "set `readOnly`"),
        ("limits", CONTAINER, {"memory": None}, "set `memory`"),
        ("limits", CONTAINER, {"memorySwap": -1}, "set `memorySwap`"),
        ("limits", CONTAINER, {"ulimits": [{"name": "nproc"}]}, "out of `ulimits`"),
        ("limits", CONTAINER, {"logDriver": None, "logOpts": None}, "max-size"),
        ("pinned-image", CONTAINER, {"image": "api:latest"}, "by digest"),
        ("pinned-image", CONTAINER, {"image": "registry:5000/api"}, "by digest"),
        ("ttl", RECORD, {"ttl": 5}, "from 30 to 3600"),
        ("ttl", RECORD, {"ttl": 86400}, "from 30 to 3600"),
        ("ttl", RECORD, {"ttl": None}, "from 30 to 3600"),
    ],
)
def test_the_bad_is_refused_with_what_to_do(
    rule: str, kind: str, changed: Mapping[str, object], advice: str
) -> None:
    ((name, message),) = broken(resource(kind, changed))
    assert name == rule
    assert advice in message


@pytest.mark.parametrize(
    ("hosts", "advice"),
    [(None, "set `hosts`"), ([], "set `hosts`"), (["*.example.com"], "list the host names")],
)
def test_a_route_takes_its_own_names_alone(hosts: list[str] | None, advice: str) -> None:
    ((name, message),) = broken(resource(ROUTE, {"hosts": hosts}, stack="dev"))
    assert name == "narrow-route"
    assert advice in message


@pytest.mark.parametrize("kind", [RECORD, VOLUME])
@pytest.mark.parametrize(
    ("stack", "refused"),
    [("prod", True), ("production", True), ("prod-eu", True), ("dev", False), ("product-demo", False)],
)
def test_name_and_data_are_protected_in_prod(kind: str, stack: str, refused: bool) -> None:
    told = broken(resource(kind, stack=stack, protect=False))
    assert [name for name, _ in told] == ["protected-in-prod"] * refused
    assert all("config set protect true" in message for _, message in told)


@pytest.mark.parametrize(
    ("plugin", "let_in"),
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
def test_a_route_in_prod_has_key_auth(plugin: dict[str, object] | None, let_in: bool) -> None:
    acl = resource(PLUGIN, {"name": "acl", "config": {"allow": ["g"]}})
    told = broken(resource(ROUTE), acl, *([resource(PLUGIN, plugin)] if plugin else []))
    assert [name for name, _ in told] == ["key-auth-in-prod"] * let_in
    assert all("config set keyAuth true" in message for _, message in told)


def test_key_auth_of_the_route_itself_guards_it_and_dev_needs_none() -> None:
    route = resource(ROUTE)
    plugins = [
        resource(PLUGIN, given | {"route": "r"}, dependencies={"route": [route.urn]})
        for given in ({"name": "key-auth"}, {"name": "acl", "config": {"allow": ["g"]}})
    ]
    assert broken(route, *plugins) == []
    assert broken(resource(ROUTE, stack="dev")) == []


@pytest.mark.parametrize(
    ("acl", "let_in"),
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
def test_a_route_in_prod_lets_consumers_of_its_own_in(acl: dict[str, object] | None, let_in: bool) -> None:
    plugins = [resource(PLUGIN, {"name": "acl", **acl})] if acl else []
    told = broken(resource(ROUTE), resource(PLUGIN, {"name": "key-auth"}), *plugins)
    assert [name for name, _ in told] == ["acl-in-prod"] * let_in
    assert all("name a group in `allow` of the plugin acl" in message for _, message in told)
    assert broken(resource(ROUTE, stack="dev"), resource(PLUGIN, {"name": "key-auth"}, stack="dev")) == []


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        ({"host": "session_context"}, False),
        ({"host": "10.1.2.3"}, False),
        ({"host": "api.internal"}, False),
        ({"host": "api.example.com", "protocol": "https"}, False),
        ({"host": UNKNOWN}, False),
        ({"host": "api.example.com"}, True),
        ({"host": "8.8.8.8", "protocol": "http"}, True),
        ({"host": "2001:4860:4860::8888", "protocol": "http"}, True),
    ],
)
def test_plain_http_stays_in_the_private_network(service: dict[str, object], refused: bool) -> None:
    told = broken(resource(SERVICE, service))
    assert [name for name, _ in told] == ["no-plain-http-outside"] * refused
    assert all("set `protocol` to https" in message for _, message in told)


@pytest.mark.parametrize(("target", "refused"), [("c1:8080", 0), ("api.example.com:80", 1), (UNKNOWN, 0)])
def test_plain_http_is_followed_to_the_upstreams_targets(target: str, refused: int) -> None:
    upstream = resource(UPSTREAM, {"name": "up.example.com"})
    of_it = resource(TARGET, {"target": target}, dependencies={"upstream": [upstream.urn]})
    told = broken(upstream, of_it, resource(SERVICE, {"host": "up.example.com", "protocol": "http"}))
    assert len(told) == refused


@pytest.mark.parametrize("kind", [CONTAINER, ROUTE, RECORD])
def test_what_only_an_up_will_know_breaks_no_rule(kind: str) -> None:
    for name in GOOD[kind]:
        assert broken(resource(kind, {name: UNKNOWN}, stack="dev")) == []
    assert broken(resource(CONTAINER, {"ulimits": [UNKNOWN], "ports": UNKNOWN})) == []
    assert broken(resource(ROUTE, {"hosts": [UNKNOWN]}, stack="dev")) == []


def test_a_container_that_never_runs_may_be_bare() -> None:
    bare = {"start": False, "user": None, "readOnly": None, "memory": None, "memorySwap": None, "ulimits": None}
    assert broken(resource(CONTAINER, bare)) == []


def test_the_pack_reads_on_past_unknown_values() -> None:
    rule = next(rule for rule in RULES if rule.name == "limits")
    inputs = GOOD[CONTAINER] | {"memory": UNKNOWN, "memorySwap": -1, "ulimits": [{"name": UNKNOWN}]}
    told: list[str] = []
    options = PolicyResourceOptions(True, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    props = unknown_checking_proxy(inputs)
    args = ResourceValidationArgs(CONTAINER, props, "urn:pulumi:dev::p::t::n", "n", options, None)
    resource_policy(rule).validate(args, lambda message, _: told.append(message))
    assert told == ["it may take all memory: set `memorySwap`, in MB"]
