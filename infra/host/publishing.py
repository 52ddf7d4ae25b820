"""The ports at which the replicas are published: a new version takes those that the running one leaves free.

See docs/decisions/0009-a-new-version-takes-the-other-ports.md.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Self

import pulumi
import pulumi_docker as docker

from infra.config.publish import PublishConfig

READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""A function of the engine itself: a stack's outputs after its last complete run."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """What the last complete run of this stack published."""

    ports: frozenset[int]
    version: str | None

    @classmethod
    def read(cls) -> Self:
        """Read it from the stack's own outputs, which a failed run leaves as they were."""
        stack = "/".join((pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()))
        outputs = pulumi.runtime.invoke(READ_OUTPUTS, {"name": stack}).value.get("outputs") or {}
        ports = [int(target.rpartition(":")[2]) for target in outputs.get("published") or []]
        return cls(ports=frozenset(ports), version=outputs.get("publishedVersion"))


@dataclass(frozen=True, kw_only=True)
class Published:
    """One version of the replicas, each at a port of its own."""

    config: PublishConfig
    version: str
    ports: list[int]

    @property
    def outputs(self) -> dict[str, Any]:
        """What the next run reads of this one. The version is a secret, since it is a hash of secrets too."""
        targets = [self.target(port) for port in self.ports]
        return {"published": targets, "publishedVersion": pulumi.Output.secret(self.version)}

    def target(self, port: int) -> str:
        """Return ADDRESS:PORT as Kong and URLs have it."""
        address = self.config.address
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def container_port(self, internal: int, port: int) -> docker.ContainerPortArgs:
        """Return what publishes a port of a container at one of these."""
        return docker.ContainerPortArgs(internal=internal, external=port, ip=self.config.address)


def publish(config: PublishConfig, *, replicas: int, version_parts: list[Any]) -> Published:
    """Choose the ports of the replicas, from what they are made of and what runs. Raises `pulumi.RunError`."""
    parts = [*version_parts, config.address]
    version = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    ports = choose_ports(config, replicas=replicas, version=version, running=Running.read())
    return Published(config=config, version=version, ports=ports)


def choose_ports(config: PublishConfig, *, replicas: int, version: str, running: Running) -> list[int]:
    """Return a port for each replica: those of the running version if it is this one, else none of those.

    Raises `pulumi.RunError` if neither half of the range is free, which only another range can cause.
    """
    choices = [list(half[:replicas]) for half in config.halves()]
    if version == running.version:
        return max(choices, key=lambda ports: len(running.ports.intersection(ports)))
    for ports in choices:
        if running.ports.isdisjoint(ports):
            return ports
    used = ", ".join(map(str, sorted(running.ports)))
    raise pulumi.RunError(
        f"publish leaves no ports for {replicas} new replicas beside those that run, which keep {used} until the "
        "new ones serve. Choose a range with other ports, or a longer one"
    )
