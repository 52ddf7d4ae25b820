"""A second stack, such as a pull request's, on the Kong, the engine and the zone of the first."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.stack.clone import HOSTNAME, NO_CHANGES, Clone

NAMES = ("serviceName", "routeName", "upstreamName")


class Beside:
    """A stack in a backend of its own, configured as the first one is."""

    def __init__(self, clone: Clone, states: Path) -> None:
        self.stack = f"pr-{clone.stack}"
        self.hostname = f"{self.stack}.{HOSTNAME}"
        self.file = clone.folder / f"Pulumi.{self.stack}.yaml"
        self._clone, self._states = clone, states
        states.mkdir()
        config = yaml.safe_load(clone.file.read_text())["config"]
        self.file.write_text(yaml.safe_dump({"config": config}))
        self.pulumi("stack init --no-select")

    def pulumi(self, command: str, *, fails: bool = False) -> str:
        own = f"export PULUMI_BACKEND_URL=file://{self._states} PULUMI_CONFIG_PASSPHRASE={self.stack}"
        pulumi = f"pulumi --non-interactive {command} --stack {self.stack}"
        return self._clone.shell(f"{own} && {pulumi}", fails=fails)


@pytest.fixture
def beside(clone: Clone, tmp_path: Path) -> Iterator[Beside]:
    beside = Beside(clone, tmp_path / "states")
    try:
        yield beside
    finally:
        beside.pulumi("destroy --yes --skip-preview")
        beside.file.unlink()


def test_two_stacks_share_a_kong_an_engine_and_a_zone(clone: Clone, beside: Beside) -> None:
    beside.pulumi(f"config set hostname {beside.hostname}")
    refused = beside.pulumi("preview", fails=True)
    assert (
        f"which stack {clone.stack} of project session-context owns: run `pulumi config set upstreamName"
        in refused
    )
    assert "each stack on one Kong needs its own serviceName, routeName and upstreamName" in refused

    for key in NAMES:
        beside.pulumi(f"config set {key} {beside.stack}")
    beside.pulumi("up --yes --skip-preview")
    there = {"headers": {"Host": beside.hostname}}
    clone.settled(200, "/sessions", **there)
    created = clone.request("POST", "/sessions", json={"userId": 4711}, **there)
    assert created.status_code == 201
    assert 4711 in [session["userId"] for session in clone.request("GET", "/sessions", **there).json()]
    assert 4711 not in [session["userId"] for session in clone.request("GET", "/sessions").json()]
    assert {record["Name"] for record in clone.records()} == {f"{HOSTNAME}.", f"{beside.hostname}."}
    beside.pulumi(NO_CHANGES)
    clone.pulumi(NO_CHANGES)

    beside.pulumi("destroy --yes --skip-preview")
    assert clone.settled(404, "/sessions", **there).json()["message"] == "no Route matched with those values"
    assert [record["Name"] for record in clone.records()] == [f"{HOSTNAME}."]
    assert clone.request("GET", "/sessions").status_code == 200
    clone.pulumi(NO_CHANGES)
