"""Why a replica is not healthy, of which Pulumi's plugins say little or nothing."""

from collections.abc import Iterator

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from local import docker_engine, pods, stack_config
from local.workspace import Workspace

LINES = 20


def read_log(container: Container) -> str:
    """Return a container's last log lines."""
    return container.logs(tail=LINES).decode(errors="replace").rstrip()


def explain_unhealthy(workspace: Workspace) -> str:
    """Return the state, last probe and last log lines of each unhealthy container or pod; empty without any."""
    if stack_config.on_kubernetes(workspace):
        return pods.explain_unready(workspace)
    host = stack_config.docker_host(workspace)
    if host.startswith("ssh://"):  # Docker's SDK would need another package
        return f"To see why a container is not healthy: docker -H {host} logs NAME"
    ours: dict[str, str | list[str] | bool] = {"label": stack_config.labels(workspace)}
    try:
        client = docker.DockerClient(base_url=host) if host else docker_engine.find()
        found = client.containers.list(all=True, filters=ours, ignore_removed=True) if client else []
        return "\n".join(line for container in found for line in _explain(container))
    except DockerException as error:
        return f"The containers can't be inspected: {error}"


def _explain(container: Container) -> Iterator[str]:
    state = container.attrs["State"]
    health = state.get("Health") or {}
    if state["Status"] == "created" or health.get("Status") in (None, "healthy"):
        return  # the secrets' container is created and never started
    detail = f"exit code {state['ExitCode']}" if state["Status"] == "exited" else health["Status"]
    yield f"Container {container.name} is {state['Status']} ({detail})."
    if probes := health.get("Log"):
        yield f"  Output of the last health check: {probes[-1]['Output'].strip() or 'none'}"
    yield "  Last log lines:"
    for line in read_log(container).splitlines() or ["none"]:
        yield f"    {line}"
