"""The platform's gateway on this machine: a Kong with its PostgreSQL, or the stand-in."""

import hashlib
import socket
import time
from pathlib import Path

import docker
import requests

from local import images, kong
from local.console import say, step
from local.platform import CLONE_LABEL, Platform, image_name, on_loopback, published_ports
from local.workspace import ROOT, LocalError, Workspace

STAND_IN = ROOT / "offline" / "gateway"
PROXY, ADMIN = "8000/tcp", "8001/tcp"
READY_SECONDS = 60
HOLDS_PORTS = ("running", "restarting", "paused")
"""A container in one of these states keeps its ports, if not at each moment."""


def check(client: docker.DockerClient, workspace: Workspace) -> None:
    """Raises `LocalError` when the platform is another clone's, or a port that it needs is somebody else's.

    Nothing has been changed by then: what runs goes on.
    """
    platform = Platform(client, workspace)
    running = platform.container(platform.gateway)
    owner = running.labels.get(CLONE_LABEL, "") if running else ""
    if owner and owner != str(ROOT) and Path(owner).exists():
        raise LocalError(
            f"stack {workspace.stack} of this machine belongs to the clone in {owner}. Run `make down` there, or "
            "give this clone a stack of its own: cp Pulumi.dev.yaml Pulumi.two.yaml, then "
            "make up STACK=two PROXY_PORT=18000 ADMIN_PORT=18001 DNS_PORT=18053"
        )
    held = published_ports(running).values() if running is not None and running.status in HOLDS_PORTS else ()
    for port in (workspace.proxy_port, workspace.admin_port):
        if port not in held:
            require_free_port(port)


def start(client: docker.DockerClient, workspace: Workspace, *, prefer_official: bool) -> None:
    """Have the gateway answer on its two ports. Safe to repeat; what runs as wanted is left alone.

    `prefer_official` lets a stand-in give way to a Kong that can be pulled by now.
    """
    platform = Platform(client, workspace)
    platform.create_network()
    ports = {PROXY: workspace.proxy_port, ADMIN: workspace.admin_port}
    running = platform.container(platform.gateway)
    if running is not None and (kong.is_kong(running) or not prefer_official):
        use_kong = kong.is_kong(running)
    else:
        use_kong = all(images.pull_image(client, name) for name in (kong.KONG_IMAGE, kong.POSTGRES_IMAGE))
    if not use_kong:
        _start_stand_in(platform, ports)
    elif running is None or not kong.is_as_wanted(platform, running, ports) or _fault(workspace):
        if running is not None and not kong.is_kong(running):
            say("Kong can be had by now, so it takes the place of the stand-in")
        kong.start(platform, ports)
    _wait_for_answers(platform)


def stop(client: docker.DockerClient, workspace: Workspace) -> None:
    """Remove every container, volume and network of this clone's platform."""
    Platform(client, workspace).remove()


def is_stand_in(client: docker.DockerClient, workspace: Workspace) -> bool:
    """Whether the gateway stands in for a Kong."""
    platform = Platform(client, workspace)
    running = platform.container(platform.gateway)
    return running is not None and not kong.is_kong(running)


def require_free_port(port: int) -> None:
    """Raises `LocalError` when somebody listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalError(
                f"port {port} is taken ({error.strerror}). Stop what uses it, or choose other ports, such as: "
                "make up PROXY_PORT=18000 ADMIN_PORT=18001 DNS_PORT=18053"
            ) from error


def _start_stand_in(platform: Platform, ports: dict[str, int]) -> None:
    digest = hashlib.sha256()
    for file in sorted(STAND_IN.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(STAND_IN)}\n".encode() + file.read_bytes())
    image = f"session-context-gateway:{digest.hexdigest()[:16]}"
    images.build_image(platform.client, STAND_IN, image)
    running = platform.container(platform.gateway)
    if (
        running is None
        or not platform.is_in_use(running)
        or image_name(running) != image
        or published_ports(running) != ports
    ):
        with step("Starting the gateway (a stand-in for Kong)"):
            platform.replace(platform.gateway, image, data="/state", ports=on_loopback(ports))


def _fault(workspace: Workspace) -> str:
    """What keeps the gateway from serving; empty when nothing does."""
    try:
        status = requests.get(f"http://127.0.0.1:{workspace.admin_port}/status", timeout=5)
        status.raise_for_status()
        requests.get(f"http://127.0.0.1:{workspace.proxy_port}/", timeout=5)
    except requests.RequestException as error:
        return str(error)
    return "" if status.json()["database"]["reachable"] else "Kong does not reach its database"


def _wait_for_answers(platform: Platform) -> None:
    workspace = platform.workspace
    deadline = time.monotonic() + READY_SECONDS
    with step(f"Waiting for the gateway on ports {workspace.proxy_port} and {workspace.admin_port}"):
        while fault := _fault(workspace):
            if time.monotonic() > deadline:
                said = platform.client.containers.get(platform.gateway).logs(tail=20).decode(errors="replace")
                raise LocalError(f"the gateway does not answer: {fault}. It last said:\n{said}")
            time.sleep(0.2)
