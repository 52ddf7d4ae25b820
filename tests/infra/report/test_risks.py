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
        ("kong:index:KongService", {"retries": 1}, {"retries": 2}),
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
