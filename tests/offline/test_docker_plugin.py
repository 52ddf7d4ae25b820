"""Which engine the stand-in for Docker's plugin connects to."""

import pytest

from infra.plugin import PluginError
from offline.docker_plugin.engine_client import EngineClient

HOST = "ssh://deploy@host.invalid"  # which it does not connect to yet


def test_a_context_takes_precedence_over_the_host_as_in_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "colima")
    with pytest.raises(PluginError, match="such as colima"):
        EngineClient().configure({"host": HOST})
    EngineClient().configure({"host": HOST, "context": ""})
