"""`make` on a deployed stack: the smoke test, and a machine behind a proxy."""

import pytest

from tests.stack.clone import Clone


def test_the_smoke_test_leaves_the_users_sessions_as_they_were(clone: Clone) -> None:
    before = clone.request("GET", "/sessions").json()
    clone.make("smoke")
    assert clone.request("GET", "/sessions").json() == before


def test_services_of_this_machine_are_reached_without_the_proxy(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "unchanged" in clone.make("up")
