"""`make down` ends everything, whatever an earlier run wrote into the state."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.stack.clone import Clone, docker_client

NOBODY = "127.0.0.1:9"


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Clone]:
    """A deployed clone, which a test has removed at its end."""
    clone = Clone(tmp_path)
    try:
        clone.make("up")
        yield clone
    finally:
        clone.make("down")


def failed_ups(clone: Clone) -> None:
    """Runs with addresses where nobody answers: the providers' inputs in the state have them afterwards."""
    good = clone.file.read_text()
    for wrong in ("kongAdminUrl", "dockerHost"):
        clone.set(wrong, f"http://{NOBODY}" if wrong == "kongAdminUrl" else f"tcp://{NOBODY}")
        clone.pulumi("up --yes --skip-preview", fails=True)
        clone.file.write_text(good)
    clone.file.write_text(good.replace(f"127.0.0.1:{clone.ports['DNS_PORT']}", NOBODY))
    clone.pulumi("up --yes --skip-preview", fails=True)


def test_down_leaves_nothing_after_runs_with_wrong_addresses(deployed: Clone) -> None:
    deployed.request("POST", "/sessions", json={"userId": 1})
    failed_ups(deployed)
    assert NOBODY in deployed.pulumi("stack export")
    assert deployed.left_behind()
    assert f"removed with it: 1. To keep them: make backup STACK={deployed.stack}" in deployed.make("down")
    assert deployed.left_behind() == []
    for port in deployed.ports.values():
        assert not answers(port)


def test_down_leaves_nothing_where_the_gateway_is_gone_and_can_not_come_back(deployed: Clone) -> None:
    deployed.request("POST", "/sessions", json={"userId": 1})
    failed_ups(deployed)
    with docker_client() as client:
        client.containers.get(f"session-context-{deployed.stack}-gateway").remove(force=True)
        for name in deployed.containers():
            client.containers.get(name).stop()
    deployed.set("ttl", "soon")  # and the program refuses its config
    with socket.create_server(("127.0.0.1", deployed.ports["ADMIN_PORT"])):
        said = deployed.make("down")
    assert "Going on without Kong" in said
    assert "removed with it: 1." in said
    assert deployed.left_behind() == []


def answers(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    except requests.ConnectionError:
        return False
    return True
