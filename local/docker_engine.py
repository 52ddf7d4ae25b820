"""The Docker engine: the one that is there, or one that `make setup` installed and we start."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from local import processes
from local.console import say, step
from local.workspace import DEFAULT_HOST, LOGS, STATE, LocalError, build_environment, context_host

PID_FILE = STATE / "dockerd.pid"
START_SECONDS = 60


def find() -> docker.DockerClient | None:
    """The engine that answers where the environment or Docker's current context points; None without one."""
    try:
        client = docker.from_env(timeout=600, environment=build_environment())
        client.ping()
    except DockerException:
        return None
    return client


def start() -> docker.DockerClient:
    """The engine that answers; where none does, the one installed here is started."""
    client = find()
    if client is not None:
        return client
    if (os.environ.get("DOCKER_HOST") or DEFAULT_HOST) != DEFAULT_HOST:
        raise LocalError(
            f"no Docker engine answers at {os.environ['DOCKER_HOST']}: start it, or unset DOCKER_HOST"
        )
    if not os.environ.get("DOCKER_HOST") and (host := context_host()):
        raise LocalError(
            f"no Docker engine answers at {host}, where Docker's current context leads: start it (Docker Desktop, "
            "Colima, …), or choose another context with `docker context use`"
        )
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise LocalError(
            "no Docker engine answers. Install and start one (https://docs.docker.com/engine/install/), then run "
            "this again. Only on Debian, as root, is it done for you."
        )
    with step("Starting the Docker engine"):
        LOGS.mkdir(parents=True, exist_ok=True)
        with (LOGS / "dockerd.log").open("ab") as log:
            daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=log, start_new_session=True, cwd="/")
        PID_FILE.write_text(str(daemon.pid))
        for _ in range(START_SECONDS * 5):
            client = find()
            if client is not None:
                return client
            if daemon.poll() is not None:
                break
            time.sleep(0.2)
    raise LocalError(f"the Docker engine does not start: see {LOGS / 'dockerd.log'}")


def stop() -> None:
    """Stop the engine if we started it and nothing else uses it by now."""
    if not PID_FILE.exists():
        return
    client = find()
    if client is not None and client.containers.list(ignore_removed=True):
        say("The Docker engine runs other containers, so it is left running")
        return
    pid = processes.read_pid(PID_FILE)
    PID_FILE.unlink()
    if processes.is_running(pid, "dockerd"):
        with step("Stopping the Docker engine"):
            processes.terminate(pid)


def wait_healthy(container: Callable[[], Container], title: str, seconds: float = 90) -> None:
    """Wait until a container's health check says so. Raises `LocalError` with what it last said."""
    with step(title):
        deadline = time.monotonic() + seconds
        while (live := container()).attrs["State"].get("Health", {}).get("Status") != "healthy":
            if time.monotonic() > deadline or live.status in ("exited", "dead"):
                said = live.logs(tail=20).decode(errors="replace")
                raise LocalError(f"{live.name} does not get healthy. It last said:\n{said}")
            time.sleep(0.2)
