"""Which engine the stand-in for Docker's plugin connects to, and which changes of a container it sees."""

import pytest

from infra.plugin import PluginError
from infra.props import Props
from offline.docker_plugin.container import Container
from offline.docker_plugin.engine_client import EngineClient

HOST = "ssh://deploy@host.invalid"  # which it does not connect to yet


def test_a_context_takes_precedence_over_the_host_as_in_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "colima")
    with pytest.raises(PluginError, match="such as colima"):
        EngineClient().configure({"host": HOST})
    EngineClient().configure({"host": HOST, "context": ""})


GIVEN: Props = {
    "capabilities": {"drops": ["ALL"]},
    "envs": ["A=1", "B=2"],
    "healthcheck": {"tests": ["CMD", "true"], "interval": "5s", "retries": 3},
    "memory": 512,
    "restart": "unless-stopped",
    "volumes": [{"containerPath": "/data", "volumeName": "data"}, {"fromContainer": "secrets:ro"}],
}
RECORDED: Props = {
    "capabilities": {"adds": [], "drops": ["ALL"]},
    "cpus": None,
    "envs": ["B=2", "A=1"],
    "healthcheck": GIVEN["healthcheck"] | {"startInterval": "0s"},
    "memory": 512,
    "networkMode": "bridge",
    "ports": [],
    "restart": "unless-stopped",
    "start": True,
    "user": "10001",
    "volumes": [
        {"containerPath": "", "fromContainer": "secrets:ro", "readOnly": None, "volumeName": ""},
        {"containerPath": "/data", "fromContainer": "", "readOnly": None, "volumeName": "data"},
    ],
    "waitTimeout": 60,
}
"""What the plugin has in its state after a create with these inputs."""


def test_what_the_plugin_fills_in_is_no_change() -> None:
    assert Container(EngineClient()).diff(RECORDED, GIVEN) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("capabilities", None),
        ("envs", ["A=1"]),
        ("envs", ["A=1", "B=3"]),
        ("healthcheck", {"tests": ["CMD", "true"], "retries": 3}),
        ("memory", None),
        ("networkMode", "none"),
        ("restart", None),
        ("start", False),
        ("user", "10002"),
        ("volumes", GIVEN["volumes"][:1]),
        ("volumes", [GIVEN["volumes"][0] | {"readOnly": True}, GIVEN["volumes"][1]]),
    ],
)
def test_another_value_is_a_change(name: str, value: object) -> None:
    inputs = {key: given for key, given in (GIVEN | {name: value}).items() if given is not None}
    assert Container(EngineClient()).diff(RECORDED, inputs) == {name}
