"""The platform's gateway: Kong with its PostgreSQL, or the stand-in where Kong's images can't be pulled."""

import hashlib
import socket
from contextlib import suppress
from pathlib import Path

import docker
import requests

from local import images, kong, tls
from local.console import say, step
from local.container_health import read_log
from local.platform import CLONE_LABEL, Platform, has_settings, image_name, on_loopback, published_ports
from local.waiting import attempts
from local.workspace import OTHER_PORTS, ROOT, LocalError, Workspace

STAND_IN = ROOT / "offline" / "gateway"
PROXY, TLS, ADMIN = "8000/tcp", "8443/tcp", "8001/tcp"
READY_SECONDS = 180
"""Kong needs 5 s, but 115 s were measured on two cores with a load of 30, and a repeated run starts it anew."""
HOLDS_PORTS = ("running", "restarting", "paused")
"""States in which a container keeps its ports, if not at every moment."""


def check(client: docker.DockerClient, workspace: Workspace) -> None:
    """Raise `LocalError` if the platform belongs to another clone, or one of its ports is taken.

    It changes nothing, so whatever is running keeps running.
    """
    require_own(client, workspace)
    platform = Platform(client, workspace)
    existing = platform.find_container(platform.gateway)
    held = published_ports(existing).values() if existing is not None and existing.status in HOLDS_PORTS else ()
    for port in (workspace.proxy_port, workspace.tls_port, workspace.admin_port):
        if port not in held:
            require_free_port(port, workspace)


def require_own(client: docker.DockerClient, workspace: Workspace) -> None:
    """Raise `LocalError` if the platform belongs to another clone."""
    platform = Platform(client, workspace)
    existing = platform.find_container(platform.gateway)
    owner = existing.labels.get(CLONE_LABEL, "") if existing else ""
    if owner and owner != str(ROOT) and Path(owner).exists():
        raise LocalError(
            f"stack {workspace.owner} on this machine belongs to the clone in {owner}. Run `make down` there, or "
            f"use another stack here: cp Pulumi.dev.yaml Pulumi.two.yaml && make up STACK=two {OTHER_PORTS}"
        )


def start(client: docker.DockerClient, workspace: Workspace, *, hostname: str, prefer_official: bool) -> None:
    """Start the gateway with a certificate for the hostname; leave a running one of the right kind alone.

    With `prefer_official`, Kong replaces a running stand-in once its images can be pulled.
    """
    platform = Platform(client, workspace)
    platform.create_network()
    ports = {PROXY: workspace.proxy_port, TLS: workspace.tls_port, ADMIN: workspace.admin_port}
    certificate = tls.gateway_settings(workspace, hostname)
    existing = platform.find_container(platform.gateway)
    if existing is not None and (kong.is_kong(existing) or not prefer_official):
        use_kong = kong.is_kong(existing)
    else:
        use_kong = all(images.pull_image(client, name) for name in (kong.KONG_IMAGE, kong.POSTGRES_IMAGE))
    if not use_kong:
        _start_stand_in(platform, ports, kong.DNS | certificate)
    elif (
        existing is None
        or not kong.is_up_to_date(platform, existing, ports, certificate)
        or _find_problem(workspace)
    ):
        if existing is not None and not kong.is_kong(existing):
            say("Kong can be pulled now and replaces the stand-in")
        kong.start(platform, ports, certificate)
    _wait_until_ready(platform)


def look_up_targets(workspace: Workspace, upstream: str) -> None:
    """Make Kong look up the addresses of a stack's containers, after they were stopped and have started again.

    It does so after any change of a target, else within 30 s.
    """
    targets = f"{workspace.admin_url}/upstreams/{upstream}/targets"
    with suppress(requests.RequestException):  # it will do so anyway
        response = requests.get(targets, timeout=5)
        response.raise_for_status()
        for target in response.json()["data"]:
            requests.patch(f"{targets}/{target['id']}", json={"weight": target["weight"]}, timeout=5)


def is_stand_in(client: docker.DockerClient, workspace: Workspace) -> bool:
    """Return whether the running gateway is the stand-in."""
    platform = Platform(client, workspace)
    existing = platform.find_container(platform.gateway)
    return existing is not None and not kong.is_kong(existing)


def require_free_port(port: int, workspace: Workspace) -> None:
    """Raise `LocalError` if something listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalError(
                f"port {port} is taken ({error.strerror}). Stop what uses it, or choose free ports, such "
                f"as {workspace.command('up')} {OTHER_PORTS}"
            ) from error


def _start_stand_in(platform: Platform, ports: dict[str, int], settings: dict[str, str]) -> None:
    digest = hashlib.sha256()
    for file in sorted(STAND_IN.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(STAND_IN)}\n".encode() + file.read_bytes())
    image = f"session-context-gateway:{digest.hexdigest()[:16]}"
    images.build_image(platform.client, STAND_IN, image)
    existing = platform.find_container(platform.gateway)
    if (
        existing is None
        or not platform.is_usable(existing)
        or image_name(existing) != image
        or published_ports(existing) != ports
        or not has_settings(existing, settings)
    ):
        with step("Starting the gateway (a stand-in for Kong)"):
            platform.replace_container(
                platform.gateway, image, data="/state", ports=on_loopback(ports), environment=settings
            )


def _find_problem(workspace: Workspace) -> str:
    """Return why the gateway does not serve; empty if it does."""
    try:
        # Kong itself waits 5 s for a database that does not answer.
        status = requests.get(f"{workspace.admin_url}/status", timeout=10)
        status.raise_for_status()
        requests.get(workspace.proxy_url, timeout=5)
    except requests.RequestException as error:
        return str(error)
    return "" if status.json()["database"]["reachable"] else "Kong can't reach its database"


def _wait_until_ready(platform: Platform) -> None:
    workspace = platform.workspace
    with step(
        f"Waiting for the gateway on ports {workspace.proxy_port}, {workspace.tls_port} and {workspace.admin_port}"
    ):
        for _ in attempts(READY_SECONDS):
            if not (problem := _find_problem(workspace)):
                return
    log = read_log(platform.client.containers.get(platform.gateway))
    raise LocalError(f"the gateway did not become ready: {problem}. Its last log lines:\n{log}")
