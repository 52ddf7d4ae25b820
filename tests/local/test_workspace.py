"""The environment of the tools."""

import pytest

from local.environment import build_environment, bypass_proxies

LOOPBACK = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({}, LOOPBACK),
        ({"NO_PROXY": "corp.example, 10.0.0.0/8"}, f"corp.example,10.0.0.0/8,{LOOPBACK}"),
        ({"no_proxy": "localhost,corp.example"}, "localhost,corp.example,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_no_proxy_gets_the_loopback_and_keeps_its_hosts(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], value: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, hosts in given.items():
        monkeypatch.setenv(name, hosts)
    assert bypass_proxies() == {"NO_PROXY": value, "no_proxy": value}
    assert bypass_proxies().items() <= build_environment().items()
