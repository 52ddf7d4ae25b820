"""What is done to a stack under load: planned changes on any host, and losses on each."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import requests

from tests.cluster.deployment import Deployment
from tests.stack.clone import Clone, docker_client
from tests.waiting import wait_for

LOST_NODE_FAILURES = 5
RECOVERY_SECONDS = 120
PATIENCE = {"docker.py": ("HEALTHY_SECONDS = 60", "HEALTHY_SECONDS = 15"),
            "kubernetes.py": ("ROLLOUT_SECONDS = 180", "ROLLOUT_SECONDS = 30")}  # fmt: skip
"""How long each host waits for a version to become ready, and how long it does for one that never will."""


@dataclass(frozen=True)
class Change:
    """A change, and how many requests may fail from its begin until the next one; None for any number."""

    name: str
    may_fail: int | None
    apply: Callable[[], object]


def list_planned(stack: Clone) -> list[Change]:
    """Return planned changes, in an order in which each finds what it needs: one replica first, then three."""
    version = stack.folder / "service" / "health.py"
    before = version.read_text()

    def scale(replicas: int) -> None:
        stack.set("replicas", replicas)
        stack.make("up")

    def update() -> None:
        stack.change_service()
        stack.make("up")

    def change_setting() -> None:
        stack.set("maxContextBytes", 500_000)
        stack.make("up")

    def roll_back() -> None:
        version.write_text(before)
        stack.make("up")

    return [
        Change("update of one replica", 0, update),
        Change("scale 1 → 3", 0, lambda: scale(3)),
        Change("scale 3 → 2", 0, lambda: scale(2)),
        Change("setting (`maxContextBytes`)", 0, change_setting),
        Change("rollback", 0, roll_back),
        Change("version that never becomes ready", 0, lambda: deploy_broken_version(stack)),
    ]


def deploy_broken_version(stack: Clone) -> str:
    """Deploy a version that never becomes ready, then the good one again; return what the first printed."""
    program = stack.folder / "service" / "__main__.py"
    hosts = {stack.folder / "infra" / "host" / name: shorter for name, shorter in PATIENCE.items()}
    good = {file: file.read_text() for file in (program, *hosts)}
    program.write_text("import time\nprint('waits for ever', flush=True)\ntime.sleep(1000)\n")
    for file, (old, new) in hosts.items():
        assert old in good[file]
        file.write_text(good[file].replace(old, new))
    try:
        return stack.make("up", fails=True)
    finally:
        for file, content in good.items():
            file.write_text(content)
        stack.make("up")


def list_docker_losses(stack: Clone) -> list[Change]:
    """Return what is lost on a Docker engine, where `make up` starts a killed container again."""

    def kill_replica() -> None:
        subprocess.run(["docker", "kill", stack.containers()[0]], check=True, capture_output=True)
        stack.make("up")

    return [
        Change("replica killed", None, kill_replica),
        Change("gateway restarted", None, lambda: restart_gateway(stack)),
    ]


def list_cluster_losses(stack: Deployment) -> list[Change]:
    """Return what is lost on a cluster, which replaces it by itself."""

    def kill_replica() -> None:
        stack.kill_pod()
        wait_for(lambda: stack.ready_pods() == 2, RECOVERY_SECONDS)

    def cut_node_off() -> None:
        with stack.node_cut_off():
            pass

    return [
        Change("replica killed", None, kill_replica),
        Change("node cut off", LOST_NODE_FAILURES, cut_node_off),
        Change("gateway restarted", None, lambda: restart_gateway(stack)),
    ]


def restart_gateway(stack: Clone) -> None:
    """Restart the only gateway, which refuses connections meanwhile."""
    with docker_client() as client:
        client.containers.get(f"session-context-{stack.stack}-gateway").restart(timeout=10)

    def serves() -> bool:
        try:
            return stack.request("GET", "/sessions?limit=1").ok
        except requests.ConnectionError:
            return False

    wait_for(serves, RECOVERY_SECONDS)
