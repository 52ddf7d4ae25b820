"""The Docker objects of a stack's platform: a network, and containers in it with their data in volumes."""

import re
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from local.workspace import ROOT, Workspace

STACK_LABEL = "session-context.platform"
CLONE_LABEL = "session-context.clone"
REGISTRY_PREFIX = re.compile(r"^(docker\.io/(library/)?|localhost/)")
"""What Podman adds to an image's name."""


@dataclass(frozen=True)
class Platform:
    """A stack's platform; its objects carry labels of this clone, by which they are found and removed."""

    client: docker.DockerClient
    workspace: Workspace

    @property
    def network(self) -> str:
        return self.workspace.platform

    @property
    def gateway(self) -> str:
        return f"{self.network}-gateway"

    @property
    def database(self) -> str:
        return f"{self.network}-gateway-database"

    @property
    def labels(self) -> dict[str, str]:
        return {STACK_LABEL: self.workspace.owner, CLONE_LABEL: str(ROOT)}

    def find_container(self, name: str) -> Container | None:
        """Return the container of this name in whatever state."""
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def create_network(self) -> None:
        """Create the network, unless it exists."""
        if not self.client.networks.list(names=[f"^{self.network}$"]):
            self.client.networks.create(self.network, labels=self.labels)

    def replace_container(self, name: str, image: str, *, data: str = "", **options: Any) -> None:  # noqa: ANN401 - the SDK's
        """Start a container, in place of one of its name; `data` is the mount point of its volume."""
        existing = self.find_container(name)
        if existing is not None:
            existing.remove(force=True, v=True)
        if data:
            self.client.volumes.create(name, labels=self.labels)
            options["volumes"] = {name: {"bind": data, "mode": "rw"}}
        options["restart_policy"] = {"Name": "unless-stopped"}
        self.client.containers.run(
            image, name=name, detach=True, network=self.network, labels=self.labels, **options
        )

    def is_usable(self, container: Container) -> bool:
        """Return whether a container runs, neither paused nor restarting, and is in the network."""
        return container.status == "running" and self.network in container.attrs["NetworkSettings"]["Networks"]

    def remove(self) -> None:
        """Remove every container, volume and network."""
        ours: dict[str, str | list[str] | bool] = {
            "label": [f"{name}={value}" for name, value in self.labels.items()]
        }
        for container in self.client.containers.list(all=True, filters=ours, ignore_removed=True):
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters=ours):
            volume.remove(force=True)
        for network in self.client.networks.list(filters=ours):
            network.remove()


def image_name(container: Container) -> str:
    """Return the name of a container's image, without what Podman adds."""
    return REGISTRY_PREFIX.sub("", str(container.attrs["Config"]["Image"]))


def has_settings(container: Container, settings: dict[str, str]) -> bool:
    """Return whether a container's environment has these variables."""
    return {f"{name}={value}" for name, value in settings.items()} <= set(container.attrs["Config"]["Env"])


def published_ports(container: Container) -> dict[str, int]:
    """Return the host's port of each published port of a container."""
    bindings = container.attrs["HostConfig"]["PortBindings"] or {}
    return {inside: int(outside[0]["HostPort"]) for inside, outside in bindings.items()}


def on_loopback(ports: dict[str, int]) -> dict[str, tuple[str, int]]:
    """Return ports as the SDK publishes them, on the loopback alone."""
    return {inside: ("127.0.0.1", outside) for inside, outside in ports.items()}
