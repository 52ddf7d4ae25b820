"""Which engine the stand-in for Docker's plugin works on."""

import pytest

from infra.plugin import PluginError
from offline.docker_plugin.engine import Engine

HOST = "ssh://deploy@host.invalid"  # which it does not connect to yet


def test_a_context_goes_before_the_host_as_in_the_plugin_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "colima")
    with pytest.raises(PluginError, match="not colima"):
        Engine().configure({"host": HOST})
    Engine().configure({"host": HOST, "context": ""})
