"""Which changes the report lists as risks."""

from typing import Any

import pytest

from tests.infra.report.previews import first_lines, report, report_update, step


@pytest.mark.parametrize(
    ("kind", "old", "new", "line"),
    [
        ("kong:index:KongRoute", {"paths": ["/a"]}, {"paths": ["/b"]}, "matches other requests: paths"),
        ("kong:index:KongRoute", {"service": "a"}, {"service": "b"}, "forwards to another service"),
        ("kong:index:KongService", {"enabled": True}, {"enabled": False}, "is disabled"),
        (
            "kong:index:KongService",
            {"host": "a"},
            {"host": "b"},
            "elsewhere: host `a` becomes `b`",
        ),
        ("kong:index:KongTarget", {"weight": 100}, {"weight": 0}, "receives no more requests"),
        ("kong:index:KongKey", {"consumer": "a"}, {"consumer": "b"}, "stops working"),
        (
            "kong:index:KongSni",
            {"certificate": "a"},
            {"certificate": "b"},
            "presents another certificate",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": False},
            {"name": "key-auth", "enabled": True},
            "starts to reject requests (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": True},
            {"name": "key-auth", "enabled": False},
            "no longer rejects requests (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "rate-limiting", "config": {"minute": 9}},
            {"name": "rate-limiting", "config": {"minute": 1}},
            "may reject different requests (`rate-limiting`: `config`)",
        ),
        (
            "kubernetes:core/v1:Service",
            {"spec": {"type": "ClusterIP"}},
            {"spec": {"type": "NodePort"}},
            "lets requests reach the pods in another way: `spec`",
        ),
        ("aws:route53/record:Record", {"ttl": 1}, {"ttl": 2}, "changes `ttl` in public DNS"),
        ("pulumi:providers:kong", {"adminUrl": "a"}, {"adminUrl": "b"}, "manages another gateway"),
    ],
)
def test_a_change_that_affects_traffic_is_a_risk(
    kind: str, old: dict[str, Any], new: dict[str, Any], line: str
) -> None:
    assert line in "\n".join(first_lines(report_update(kind, old, new)))


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("kong:index:KongPlugin", {"name": "cors", "config": 1}, {"name": "cors", "config": 2}),
        (
            "kong:index:KongPlugin",
            {"name": "acl", "enabled": False, "config": 1},
            {"name": "acl", "enabled": False, "config": 2},
        ),
        ("kong:index:KongService", {"retries": 1}, {"retries": 2}),
        ("kong:index:KongTarget", {"weight": 0}, {"weight": 100}),
        ("kong:index:KongKey", {"ttl": 1}, {"ttl": 2}),
        ("kong:index:KongCertificate", {"tags": ["a"]}, {"tags": ["b"]}),
        ("kong:index:KongRoute", {"tags": ["a"]}, {"tags": ["b"]}),
        ("kubernetes:apps/v1:Deployment", {"metadata": 1}, {"metadata": 2}),
        ("kubernetes:core/v1:Service", {"metadata": 1}, {"metadata": 2}),
        ("pulumi:providers:kong", {"timeoutMs": 1}, {"timeoutMs": 2}),
        ("docker:index/image:Image", {"imageName": "a"}, {"imageName": "b"}),
    ],
)
def test_other_changes_are_no_risk(kind: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    text = report_update(kind, old, new)
    assert first_lines(text) == []
    assert "🟢 **1 to update; none of it is risky.**" in text


@pytest.mark.parametrize(
    ("kind", "line"), [("KongKey", "stops working"), ("KongCertificate", "another certificate")]
)
def test_a_changed_secret_is_listed_but_masked(kind: str, line: str) -> None:
    sealed = {"key": "[secret]"}
    text = report(
        step("update", f"kong:index:{kind}", old=sealed, new=sealed, detailedDiff={"key": {"kind": "update"}})
    )
    assert line in "\n".join(first_lines(text))
    assert "! key: [secret] (changed)" in text


def test_a_new_plugin_that_restricts_access_is_a_risk() -> None:
    text = report(step("create", "kong:index:KongPlugin", new={"name": "key-auth"}))
    assert first_lines(text) == ["- KongPlugin `x` starts to reject requests (`key-auth`)"]


def test_a_removed_protection_is_a_risk_without_changed_properties() -> None:
    lost = step("same", old={}, new={}, old_more={"protect": True})
    assert first_lines(report(lost)) == ["- Thing `x` is no longer protected"]


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        (
            "spec.template.spec.containers[0].image",
            {"spec": {"template": {"spec": {"containers": [{"image": "a:1"}]}}}},
            {"spec": {"template": {"spec": {"containers": [{"image": "a:2"}]}}}},
            "rolls out another image: `a:1` becomes `a:2`",
        ),
        (
            "spec.replicas",
            {"spec": {"replicas": 2}},
            {"spec": {"replicas": 1}},
            "gets another number of pods: `2` becomes `1`",
        ),
    ],
)
def test_a_change_of_a_rollout_is_a_risk(path: str, old: dict[str, Any], new: dict[str, Any], line: str) -> None:
    kind = "kubernetes:apps/v1:Deployment"
    text = report(step("update", kind, old=old, new=new, detailedDiff={path: {"kind": "update"}}))
    assert line in "\n".join(first_lines(text))
