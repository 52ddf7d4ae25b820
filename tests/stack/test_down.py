"""`make down` removes everything, whatever an earlier run wrote into the state."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.stack.clone import Clone, docker_client

NOBODY = "127.0.0.1:9"


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Clone]:
    """Yield a deployed clone of its own."""
    clone = Clone(tmp_path)
    try:
        clone.make("up")
        yield clone
    finally:
        clone.make("down")


def fail_to_update(clone: Clone) -> None:
    """Run `up` with addresses where nothing answers; the providers' inputs in the state then have them."""
    original = clone.file.read_text()
    for wrong in ("kongAdminUrl", "dockerHost"):
        clone.set(wrong, f"http://{NOBODY}" if wrong == "kongAdminUrl" else f"tcp://{NOBODY}")
        clone.pulumi("up --yes --skip-preview", fails=True)
        clone.file.write_text(original)
    clone.file.write_text(original.replace(f"127.0.0.1:{clone.ports['DNS_PORT']}", NOBODY))
    clone.pulumi("up --yes --skip-preview", fails=True)


def test_down_leaves_nothing_after_runs_with_wrong_addresses(deployed: Clone) -> None:
    deployed.request("POST", "/sessions", json={"userId": 1})
    fail_to_update(deployed)
    assert NOBODY in deployed.pulumi("stack export")
    assert deployed.left_behind()
    assert f"removed with it: 1. To keep them: make backup STACK={deployed.stack}" in deployed.make("down")
    assert deployed.left_behind() == []
    for port in deployed.ports.values():
        assert not answers(port)


def test_down_leaves_nothing_if_the_gateway_was_removed_and_can_not_start(deployed: Clone) -> None:
    deployed.request("POST", "/sessions", json={"userId": 1})
    fail_to_update(deployed)
    with docker_client() as client:
        client.containers.get(f"session-context-{deployed.stack}-gateway").remove(force=True)
        for name in deployed.containers():
            client.containers.get(name).stop()
    deployed.set("ttl", "soon")  # so that the program refuses its config
    with socket.create_server(("127.0.0.1", deployed.ports["ADMIN_PORT"])):
        printed = deployed.make("down")
    assert "Continuing without Kong" in printed
    assert "removed with it: 1." in printed
    assert deployed.left_behind() == []


def answers(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    except requests.ConnectionError:
        return False
    return True
