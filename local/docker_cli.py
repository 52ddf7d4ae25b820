"""Docker's CLI on the engine that runs a stack's containers, wherever that is."""

import subprocess

from local import stack_config
from local.environment import build_environment
from local.workspace import LocalError, Workspace


def docker(workspace: Workspace, arguments: list[str]) -> str:
    """Run a docker command and return its output. Raises `LocalError`."""
    try:
        done = subprocess.run(
            ["docker", *arguments], env=environment(workspace), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalError("the docker command is missing. Install Docker's CLI.") from error
    if done.returncode:
        raise LocalError(f"`docker {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def environment(workspace: Workspace) -> dict[str, str]:
    """Return the environment in which docker commands reach the stack's engine."""
    host = stack_config.docker_host(workspace)
    return build_environment() | ({"DOCKER_HOST": host} if host else {})


def label_filters(workspace: Workspace) -> list[str]:
    """Return the options that select the stack's containers and volumes."""
    return [word for label in stack_config.labels(workspace) for word in ("--filter", f"label={label}")]


def find_containers(workspace: Workspace, *states: str) -> list[str]:
    """Return the ids of the service's containers in these states. Raises `LocalError` without any."""
    filters = [word for state in states for word in ("--filter", f"status={state}")]
    found = docker(workspace, ["ps", "--all", "--quiet", *label_filters(workspace), *filters]).split()
    if not found:
        raise LocalError(
            f"stack {workspace.stack} has no running container. Run `{workspace.command('up')}` first."
        )
    return found
