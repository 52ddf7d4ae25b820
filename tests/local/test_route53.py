"""Route 53's API on this machine: one for each stack of a clone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import processes, route53
from local.processes import Daemon
from local.workspace import Workspace
from tests.ports import free_port, is_open


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Workspace]]:
    """Yield two stacks of a clone whose Route 53 is stopped afterwards."""
    monkeypatch.setattr(processes, "STATE", tmp_path)
    monkeypatch.setattr(processes, "LOGS", tmp_path)
    workspaces = [Workspace(stack=name, dns_port=free_port()) for name in ("one", "two")]
    with ExitStack() as stopped:
        for workspace in workspaces:
            stopped.callback(route53.stop, workspace)
        yield workspaces


def test_a_second_stack_has_a_zone_of_its_own(stacks: list[Workspace]) -> None:
    zones = [route53.start(stack) for stack in stacks]
    assert zones[0] == zones[1]
    route53.stop(stacks[1])
    assert [is_open(stack.dns_port) for stack in stacks] == [True, False]


def test_the_process_of_the_first_release_is_kept(stacks: list[Workspace], tmp_path: Path) -> None:
    route53.start(stacks[0])
    before = Daemon("route53-one").pid
    (tmp_path / "route53-one.pid").rename(tmp_path / "route53.pid")
    route53.check(stacks[0])
    route53.start(stacks[0])
    assert Daemon("route53-one").pid == before
