"""Why a container of the stack doesn't get healthy: Docker's plugin says only that."""

from collections.abc import Iterator

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from local import docker_engine, stack_config
from local.workspace import Workspace

LINES = 20


def explain_unhealthy(workspace: Workspace) -> str:
    """The last lines of each container of the stack that isn't healthy, and of its health check; empty if none."""
    host = stack_config.docker_host(workspace)
    if host.startswith("ssh://"):  # docker-py would need another package
        return f"If a container is not healthy, this says why: docker -H {host} logs NAME"
    ours: dict[str, str | list[str] | bool] = {"label": stack_config.labels(workspace)}
    try:
        client = docker.DockerClient(base_url=host) if host else docker_engine.find()
        found = client.containers.list(all=True, filters=ours, ignore_removed=True) if client else []
        return "\n".join(line for container in found for line in _reasons(container))
    except DockerException as error:
        return f"The containers can't be looked at: {error}"


def _reasons(container: Container) -> Iterator[str]:
    state = container.attrs["State"]
    health = state.get("Health") or {}
    if state["Status"] == "created" or health.get("Status") in (None, "healthy"):
        return  # one that was never started holds the secrets
    how = f"exit code {state['ExitCode']}" if state["Status"] == "exited" else health["Status"]
    yield f"Container {container.name} is {state['Status']} ({how})."
    if probes := health.get("Log"):
        yield f"  Its health check last said: {probes[-1]['Output'].strip() or 'nothing'}"
    yield "  It last said:"
    for line in container.logs(tail=LINES).decode(errors="replace").splitlines() or ["nothing"]:
        yield f"    {line}"
