"""The policy rules for pods and their Services."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.policy.declared import Declared
from infra.policy.pods import DEPLOYMENT, SERVICE
from infra.policy.rules import RULES
from infra.props import UNKNOWN

HARDENED = {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
LIMITS = {"limits": {"memory": "512Mi"}}


def pods(
    *,
    image: str = "api:0123456789abcdef",
    pod: Mapping[str, object] | None = None,
    resources: Mapping[str, object] = LIMITS,
    **security: object,
) -> dict[str, Any]:
    """Return the inputs of a Deployment that violates no rule except through what is given."""
    container = {"image": image, "securityContext": HARDENED | security, "resources": resources}
    spec = {"automountServiceAccountToken": False, "containers": [container], **(pod or {})}
    return {"spec": {"template": {"spec": spec}}}


def find_violations(kind: str, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the rule and the message of each violation."""
    resource = Declared(
        urn=f"urn:pulumi:prod::p::{kind}::x", type=kind, inputs=inputs, protect=False, dependencies={}
    )
    return [(rule.name, message) for rule in RULES for message in rule.find_violations(resource)]


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (DEPLOYMENT, pods()),
        (DEPLOYMENT, pods(image=f"registry.example.com/api@sha256:{'0' * 64}")),
        (DEPLOYMENT, pods(image=UNKNOWN)),
        (DEPLOYMENT, {"spec": UNKNOWN}),
        (SERVICE, {"spec": {"type": "NodePort"}}),
    ],
)
def test_a_valid_resource_is_accepted(kind: str, inputs: Mapping[str, Any]) -> None:
    assert find_violations(kind, inputs) == []


@pytest.mark.parametrize(
    ("rule", "kind", "inputs", "advice"),
    [
        ("hardened-pods", DEPLOYMENT, pods(pod={"hostNetwork": True}), "remove `hostNetwork`"),
        ("hardened-pods", DEPLOYMENT, pods(pod={"automountServiceAccountToken": None}), "to false"),
        ("hardened-pods", DEPLOYMENT, pods(runAsNonRoot=None), "set `runAsNonRoot`"),
        ("hardened-pods", DEPLOYMENT, pods(readOnlyRootFilesystem=False), "set `readOnlyRootFilesystem`"),
        ("hardened-pods", DEPLOYMENT, pods(allowPrivilegeEscalation=None), "to false"),
        ("hardened-pods", DEPLOYMENT, pods(resources={}), "set `resources.limits.memory`"),
        ("pinned-image-in-pods", DEPLOYMENT, pods(image="registry.example.com/api:latest"), "use a digest"),
        ("no-load-balancer", SERVICE, {"spec": {"type": "LoadBalancer"}}, "ClusterIP or NodePort"),
    ],
)
def test_a_violation_says_what_to_do(rule: str, kind: str, inputs: Mapping[str, Any], advice: str) -> None:
    ((name, message),) = find_violations(kind, inputs)
    assert name == rule
    assert advice in message
