"""The platform's gateway on this machine: a Kong with its PostgreSQL, or the stand-in, in a Docker network."""

import hashlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import NotFound
from docker.models.containers import Container

from local import engine
from local.machine import ROOT, LocalError, Machine
from local.steps import step

KONG_IMAGE = "kong:3.9"
POSTGRES_IMAGE = "postgres:16-alpine"
STAND_IN = ROOT / "offline" / "gateway"
LABEL = "session-context.platform"
CLONE_LABEL = "session-context.clone"
PROXY, ADMIN = "8000/tcp", "8001/tcp"
READY_SECONDS = 60


@dataclass(frozen=True)
class Names:
    """What the platform's objects are called; the prefix is the network's own name."""

    network: str

    @property
    def gateway(self) -> str:
        return f"{self.network}-gateway"

    @property
    def database(self) -> str:
        return f"{self.network}-gateway-database"


def check(client: docker.DockerClient, machine: Machine) -> None:
    """Raises `LocalError` when the platform is another clone's, or a port that it needs is somebody else's.

    Nothing has been changed by then: what runs goes on.
    """
    running = _get(client, Names(machine.platform).gateway)
    owner = running.labels.get(CLONE_LABEL, "") if running else ""
    if owner and owner != str(ROOT) and Path(owner).exists():
        raise LocalError(
            f"stack {machine.stack} of this machine belongs to the clone in {owner}. Run `make down` there, or "
            "give this clone a stack of its own: cp Pulumi.dev.yaml Pulumi.two.yaml, then "
            "make up STACK=two PROXY_PORT=18000 ADMIN_PORT=18001 DNS_PORT=18053"
        )
    held = _ports_of(running).values() if running is not None and running.status == "running" else ()
    for port in (machine.proxy_port, machine.admin_port):
        if port not in held:
            need_free(port)


def start(client: docker.DockerClient, machine: Machine) -> None:
    """Have the gateway answer on its two ports. Safe to repeat; what runs as wanted is left alone."""
    names = Names(machine.platform)
    running = _get(client, names.gateway)
    ports = {PROXY: machine.proxy_port, ADMIN: machine.admin_port}
    use_kong = (
        _is_kong(running)
        if running
        else engine.pulled(client, KONG_IMAGE) and engine.pulled(client, POSTGRES_IMAGE)
    )
    image = KONG_IMAGE if use_kong else _stand_in_image(client)
    if running is not None and not _is_as_wanted(running, image, ports):
        running.remove(force=True, v=True)
        running = None
    if running is None:
        if not client.networks.list(names=[f"^{names.network}$"]):
            client.networks.create(names.network, labels=_labels(machine))
        _create_kong(client, names, ports, machine) if use_kong else _create_stand_in(
            client, names, ports, image, machine
        )
    elif running.status != "running":
        running.start()
    _wait_for_answers(client, names, machine)


def stop(client: docker.DockerClient, machine: Machine) -> None:
    """Remove every container, volume and network of this clone's platform."""
    wanted: dict[str, str | list[str] | bool] = {
        "label": [f"{name}={value}" for name, value in _labels(machine).items()]
    }
    for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=wanted):
        volume.remove(force=True)
    for network in client.networks.list(filters=wanted):
        network.remove()


def is_stand_in(client: docker.DockerClient, machine: Machine) -> bool:
    """Whether the gateway stands in for a Kong."""
    running = _get(client, Names(machine.platform).gateway)
    return running is not None and not _is_kong(running)


def _get(client: docker.DockerClient, name: str) -> Container | None:
    try:
        return client.containers.get(name)
    except NotFound:
        return None


def _is_kong(container: Container) -> bool:
    return str(container.attrs["Config"]["Image"]) == KONG_IMAGE


def _published(ports: dict[str, int]) -> dict[str, tuple[str, int]]:
    return {inside: ("127.0.0.1", outside) for inside, outside in ports.items()}


def _is_as_wanted(container: Container, image: str, ports: dict[str, int]) -> bool:
    return container.attrs["Config"]["Image"] == image and _ports_of(container) == ports


def _ports_of(container: Container) -> dict[str, int]:
    bindings = container.attrs["HostConfig"]["PortBindings"] or {}
    return {inside: int(outside[0]["HostPort"]) for inside, outside in bindings.items()}


def need_free(port: int) -> None:
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


def _stand_in_image(client: docker.DockerClient) -> str:
    digest = hashlib.sha256()
    for file in sorted(STAND_IN.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(STAND_IN)}\n".encode() + file.read_bytes())
    tag = f"session-context-gateway:{digest.hexdigest()[:16]}"
    engine.build(client, STAND_IN, tag)
    return tag


def _create_stand_in(
    client: docker.DockerClient, names: Names, ports: dict[str, int], image: str, machine: Machine
) -> None:
    with step("Starting the gateway (a stand-in for Kong)"):
        _volume(client, names.gateway, machine)
        client.containers.run(
            image,
            name=names.gateway,
            detach=True,
            network=names.network,
            ports=_published(ports),
            volumes={names.gateway: {"bind": "/state", "mode": "rw"}},
            **_common(machine),
        )


def _create_kong(client: docker.DockerClient, names: Names, ports: dict[str, int], machine: Machine) -> None:
    settings = {
        "KONG_DATABASE": "postgres",
        "KONG_PG_HOST": names.database,
        "KONG_PG_USER": "kong",
        "KONG_PROXY_LISTEN": "0.0.0.0:8000",
        "KONG_ADMIN_LISTEN": "0.0.0.0:8001",
    }
    with step("Starting Kong and its PostgreSQL"):
        if _get(client, names.database) is None:
            _volume(client, names.database, machine)
            client.containers.run(
                POSTGRES_IMAGE,
                name=names.database,
                detach=True,
                network=names.network,
                # Nothing but this network reaches it, and it publishes no port.
                environment={"POSTGRES_USER": "kong", "POSTGRES_DB": "kong", "POSTGRES_HOST_AUTH_METHOD": "trust"},
                volumes={names.database: {"bind": "/var/lib/postgresql/data", "mode": "rw"}},
                healthcheck={
                    "test": ["CMD", "pg_isready", "-U", "kong", "-h", "127.0.0.1"],
                    "interval": 1_000_000_000,
                },
                **_common(machine),
            )
        client.containers.get(names.database).start()
    engine.wait_healthy(lambda: client.containers.get(names.database), "Waiting for Kong's PostgreSQL")
    with step("Preparing Kong's database"):
        for command in (
            ["kong", "migrations", "bootstrap"],
            ["kong", "migrations", "up"],
            ["kong", "migrations", "finish"],
        ):
            client.containers.run(
                KONG_IMAGE,
                command,
                remove=True,
                network=names.network,
                environment=settings,
                labels=_labels(machine),
            )
    client.containers.run(
        KONG_IMAGE,
        name=names.gateway,
        detach=True,
        network=names.network,
        ports=_published(ports),
        environment=settings,
        **_common(machine),
    )


def _volume(client: docker.DockerClient, name: str, machine: Machine) -> None:
    client.volumes.create(name, labels=_labels(machine))


def _labels(machine: Machine) -> dict[str, str]:
    return {LABEL: machine.stack, CLONE_LABEL: str(ROOT)}


def _common(machine: Machine) -> dict[str, Any]:
    return {"labels": _labels(machine), "restart_policy": {"Name": "unless-stopped"}}


def _wait_for_answers(client: docker.DockerClient, names: Names, machine: Machine) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with step(f"Waiting for the gateway on ports {machine.proxy_port} and {machine.admin_port}"):
        while True:
            try:
                requests.get(f"http://127.0.0.1:{machine.admin_port}/status", timeout=5).raise_for_status()
                requests.get(f"http://127.0.0.1:{machine.proxy_port}/", timeout=5)
            except requests.RequestException as error:
                if time.monotonic() > deadline:
                    said = client.containers.get(names.gateway).logs(tail=20).decode(errors="replace")
                    raise LocalError(f"the gateway does not answer: {error}. It last said:\n{said}") from error
                time.sleep(0.2)
            else:
                return
