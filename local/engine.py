"""The Docker engine: the one that is there, or one that `make setup` installed and we start."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

from local import processes
from local.install import apt_install, is_debian_root
from local.machine import DEFAULT_HOST, LOGS, ROOT, STATE, LocalError, context_host, environment
from local.steps import run, say, step

PID_FILE = STATE / "dockerd.pid"
START_SECONDS = 60
BASE_IMAGE = "session-context-base:bookworm"
OFFICIAL_BASE_IMAGE = "python:3.11-slim-bookworm"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def find() -> docker.DockerClient | None:
    """The engine that answers where the environment or Docker's current context points; None without one."""
    try:
        client = docker.from_env(timeout=600, environment=environment())
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
    pid = processes.pid_in(PID_FILE)
    PID_FILE.unlink()
    if processes.is_running(pid, "dockerd"):
        with step("Stopping the Docker engine"):
            processes.end(pid)


def base_image(client: docker.DockerClient) -> None:
    """Have the image that the dev stack builds on: the official one, or one made from Debian's packages."""
    if has_image(client, BASE_IMAGE):
        return
    if pulled(client, OFFICIAL_BASE_IMAGE):
        client.images.get(OFFICIAL_BASE_IMAGE).tag(BASE_IMAGE)
        return
    if not is_debian_root():
        raise LocalError(
            f"{OFFICIAL_BASE_IMAGE} can't be pulled, and only on Debian, as root, can another be made"
        )
    say("No images can be pulled, so a stand-in for the base image is made from Debian's packages")
    with step("Making the base image"):
        if shutil.which("mmdebstrap") is None:
            apt_install("mmdebstrap")
        archive = STATE / "base.tar"
        # Where TLS goes through a company's own authority, builds need it as this machine does.
        own_authorities = [f"--customize-hook=copy-in {CA_BUNDLE} /etc/ssl/certs"] if CA_BUNDLE.exists() else []
        unneeded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
        run(
            [
                "mmdebstrap",
                "--variant=minbase",
                f"--include={BASE_PACKAGES}",
                *unneeded,
                *own_authorities,
                "bookworm",
                str(archive),
            ],
            log="base-image",
        )
        repository, tag = BASE_IMAGE.split(":")
        client.api.import_image_from_file(
            str(archive), repository=repository, tag=tag, changes=['LABEL session-context.stand-in="true"']
        )
        archive.unlink()


def has_image(client: docker.DockerClient, name: str) -> bool:
    """Whether the engine has an image already."""
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def pulled(client: docker.DockerClient, name: str) -> bool:
    """Have an image, pulled if need be; False where it can't be."""
    if has_image(client, name):
        return True
    try:
        with step(f"Pulling {name}"):
            client.images.pull(name)
    except DockerException:
        return False
    return True


def build(client: docker.DockerClient, folder: Path, tag: str) -> None:
    """Build an image of ours from a folder, on the base image, unless the engine has it."""
    if has_image(client, tag):
        return
    with step(f"Building {tag}"):
        try:
            client.images.build(
                path=str(folder), tag=tag, buildargs={"BASE_IMAGE": BASE_IMAGE}, rm=True, forcerm=True
            )
        except DockerException as error:
            log = getattr(error, "build_log", [])
            lines = "".join(str(entry.get("stream", "")) for entry in log)
            raise LocalError(f"{folder.relative_to(ROOT)} does not build: {error}\n{lines[-2000:]}") from error


def wait_healthy(container: Callable[[], Container], title: str, seconds: float = 90) -> None:
    """Wait until a container's health check says so. Raises `LocalError` with what it last said."""
    with step(title):
        deadline = time.monotonic() + seconds
        while (live := container()).attrs["State"].get("Health", {}).get("Status") != "healthy":
            if time.monotonic() > deadline or live.status in ("exited", "dead"):
                said = live.logs(tail=20).decode(errors="replace")
                raise LocalError(f"{live.name} does not get healthy. It last said:\n{said}")
            time.sleep(0.2)
