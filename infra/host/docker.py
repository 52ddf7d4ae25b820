"""The containers on a Docker engine: hardened, health-checked, and replaced one generation after the other."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.image import Image

PORT = 8080
USER = "10001:10001"
DATA = "/app/data"
MEMORY_MB = 512
PROCESSES = 256
STOP_SECONDS = 30  # longer than uvicorn waits for the requests that are under way
HEALTHY_SECONDS = 60
TIMEOUTS = pulumi.CustomTimeouts(create="3m", update="3m", delete="3m")
"""An engine that takes a call and never answers would hold a run for 20 minutes."""
HEALTH_CHECK = ["CMD", "python3", "-m", "service.health"]

# The plugin calls these "updated" without touching the running container, or makes them real only for a new one.
ONLY_REAL_WHEN_NEW = ["healthcheck", "init", "memory", "memorySwap", "restart", "tmpfs"]


@dataclass(frozen=True, kw_only=True)
class ServiceEnvironment:
    """What the service is told: the settings of `service/settings.py`."""

    sequence_service_url: str | None
    database_url: pulumi.Output[str] | None

    def variables(self) -> list[pulumi.Input[str]]:
        """`NAME=value` for each setting that is given."""
        given: list[pulumi.Input[str]] = []
        if self.sequence_service_url:
            given.append(f"SEQUENCE_SERVICE_URL={self.sequence_service_url}")
        if self.database_url:
            given.append(pulumi.Output.concat("DATABASE_URL=", self.database_url))
        return given


class DockerHost(pulumi.ComponentResource):
    """Replicas of the service and the volume they share."""

    containers: list[docker.Container]

    addresses: dict[str, tuple[pulumi.Resource, pulumi.Output[str]]]
    """By name: what serves, and its HOST:PORT in the network."""

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        network: str,
        replicas: int,
        environment: ServiceEnvironment,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:DockerHost", name, None, opts)
        labels = {"session-context.project": pulumi.get_project(), "session-context.stack": pulumi.get_stack()}
        data = docker.Volume(
            f"{name}-data",
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in labels.items()],
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=TIMEOUTS),
        )
        names = [f"{name}-{number}" for number in range(1, replicas + 1)]
        self.containers = [
            docker.Container(
                replica,
                image=image.reference,
                envs=environment.variables() or None,
                user=USER,
                read_only=True,
                init=True,
                capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
                security_opts=["no-new-privileges"],
                memory=MEMORY_MB,
                memory_swap=MEMORY_MB,
                ulimits=[docker.ContainerUlimitArgs(name="nproc", soft=PROCESSES, hard=PROCESSES)],
                tmpfs={"/tmp": "rw,noexec,nosuid,size=16m"},  # noqa: S108 - inside the container
                volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path=DATA)],
                networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network)],
                labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in labels.items()],
                log_driver="json-file",
                log_opts={"max-size": "10m", "max-file": "3"},
                restart="unless-stopped",
                stop_signal="SIGTERM",
                stop_timeout=STOP_SECONDS,
                destroy_grace_seconds=STOP_SECONDS,
                healthcheck=docker.ContainerHealthcheckArgs(
                    tests=HEALTH_CHECK, interval="2s", timeout="3s", start_period="30s", retries=3
                ),
                wait=True,
                wait_timeout=HEALTHY_SECONDS,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[image.built],
                    custom_timeouts=TIMEOUTS,
                    # The new generation is healthy and in the gateway before the old one goes.
                    delete_before_replace=False,
                    replace_on_changes=ONLY_REAL_WHEN_NEW,
                ),
            )
            for replica in names
        ]
        self.addresses = {
            replica: (container, pulumi.Output.concat(container.name, f":{PORT}"))
            for replica, container in zip(names, self.containers, strict=True)
        }
        self.register_outputs({"containers": [container.name for container in self.containers]})
