"""The logs of a stack's replicas: of containers by Docker's CLI, of pods by kubectl."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from local import kubectl, pods, stack_config
from local.docker_cli import docker, environment, label_filters
from local.environment import build_environment
from local.workspace import Workspace


@dataclass(frozen=True)
class Replica:
    """A replica that may have a log."""

    id: str
    name: str
    has_log: bool
    """Whether it has ever run."""

    is_running: bool


class ReplicaLogs(Protocol):
    """How to find a stack's replicas, and the command that prints the log of one."""

    def list_replicas(self) -> list[Replica]:
        """Return the stack's replicas."""

    def command(self, replica: Replica, *, follow: bool, tail: str, since: float | None) -> list[str]:
        """Return the command for the last lines, or for all after a time."""

    def environment(self) -> Mapping[str, str]:
        """Return the environment for the command."""


@dataclass(frozen=True)
class ContainerLogs:
    """The logs of containers."""

    workspace: Workspace

    def list_replicas(self) -> list[Replica]:
        form = "{{.ID}} {{.Names}} {{.State}}"
        listed = docker(self.workspace, ["ps", "--all", *label_filters(self.workspace), "--format", form])
        containers = [line.split() for line in listed.splitlines()]
        return [Replica(id_, name, state != "created", state == "running") for id_, name, state in containers]

    def command(self, replica: Replica, *, follow: bool, tail: str, since: float | None) -> list[str]:
        start = ["--tail", tail] if since is None else ["--since", f"{since:.3f}"]
        return ["docker", "logs", *(["--follow"] if follow else []), *start, replica.id]

    def environment(self) -> Mapping[str, str]:
        return environment(self.workspace)


@dataclass(frozen=True)
class PodLogs:
    """The logs of pods."""

    workspace: Workspace

    def list_replicas(self) -> list[Replica]:
        return [self._describe(pod) for pod in pods.list_pods(self.workspace)]

    def _describe(self, pod: pods.Facts) -> Replica:
        container, name = pods.read_container(pod), pod["metadata"]["name"]
        is_running = "running" in container.get("state", {})
        return Replica(name, name, is_running or bool(container.get("restartCount")), is_running)

    def command(self, replica: Replica, *, follow: bool, tail: str, since: float | None) -> list[str]:
        moment = None if since is None else datetime.fromtimestamp(since, UTC).isoformat()
        start = f"--tail={tail}" if moment is None else f"--since-time={moment}"
        return kubectl.command(self.workspace, "logs", replica.name, start, *(["--follow"] if follow else []))

    def environment(self) -> Mapping[str, str]:
        return build_environment()


def find_logs(workspace: Workspace) -> ReplicaLogs:
    """Return the logs on the stack's host."""
    return PodLogs(workspace) if stack_config.on_kubernetes(workspace) else ContainerLogs(workspace)
