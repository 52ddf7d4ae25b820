"""The Docker engine: a running one, or the one that `make setup` installed, started here."""

import os
import shutil

import docker
from docker.errors import DockerException

from local.console import say, step
from local.environment import DEFAULT_HOST, build_environment, context_host
from local.processes import Daemon
from local.waiting import attempts
from local.workspace import LocalError

DAEMON = Daemon("dockerd")
START_SECONDS = 60
OLDEST_API = (1, 41)
"""Of Docker 20.10. Podman, too, has an API version of Docker."""


def find() -> docker.DockerClient | None:
    """Return a client of the engine at DOCKER_HOST or in Docker's current context; None if it does not answer."""
    try:
        client = docker.from_env(timeout=600, environment=build_environment())
        client.ping()
    except DockerException:
        return None
    return client


def require(start_command: str) -> docker.DockerClient:
    """Return a client of the running engine. Raises `LocalError` that says how to start it."""
    client = find()
    if client is None:
        raise LocalError(_explain_missing() or f"no Docker engine is running. `{start_command}` starts it.")
    return _require_supported(client)


def start() -> docker.DockerClient:
    """Return a client of the running engine; start the installed one if none runs. Raises `LocalError`."""
    client = find()
    if client is not None:
        return _require_supported(client)
    if reason := _explain_missing():
        raise LocalError(reason)
    with step("Starting the Docker engine"):
        daemon = DAEMON.start(["dockerd"], dict(os.environ))
        for _ in attempts(START_SECONDS):
            client = find()
            if client is not None:
                return _require_supported(client)
            if daemon.poll() is not None:
                break
    raise LocalError(f"dockerd did not start. See {DAEMON.log_file}.")


def _explain_missing() -> str:
    """Return why no engine answers and what to do; empty if one can be started here."""
    host = os.environ.get("DOCKER_HOST", "")
    if host not in ("", DEFAULT_HOST):
        return f"no Docker engine answers at {host}. Start it, or unset DOCKER_HOST."
    if not host and (context := context_host()):
        return (
            f"no Docker engine answers at {context}, the host of Docker's current context. Start it (Docker "
            "Desktop, Colima, …), or switch to another context with `docker context use`."
        )
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        return (
            "no Docker engine is running. Install and start one (https://docs.docker.com/engine/install/), then "
            "try again. On Debian, as root, this is done for you."
        )
    return ""


def _require_supported(client: docker.DockerClient) -> docker.DockerClient:
    """Raise `LocalError` if the engine is too old."""
    version: dict[str, str] = client.version()
    if tuple(map(int, version["ApiVersion"].split("."))) < OLDEST_API:
        raise LocalError(
            f"Docker {version['Version']} is too old: 20.10 or later is needed. Update it "
            "(https://docs.docker.com/engine/install/), then run the same command again."
        )
    return client


def stop() -> None:
    """Stop the engine, if it was started here and runs no containers."""
    if not DAEMON.pid_file.exists():
        return
    client = find()
    if client is not None and client.containers.list(ignore_removed=True):
        say("The Docker engine keeps running: it has other containers")
        return
    with step("Stopping the Docker engine"):
        DAEMON.stop("dockerd")
