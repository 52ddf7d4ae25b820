"""The containers on a Docker engine: hardened, health-checked, and replaced one generation after the other."""

from importlib.metadata import version

import pulumi
import pulumi_docker as docker

from infra.config import HostConfig, ImageConfig, ServiceConfig
from infra.image import Image
from infra.paths import DATA
from infra.registry import registry_auth

PORT = 8080
USER = "10001:10001"
SECRETS = "/run/secrets"
MEMORY_MB = 512
FILES = 4096
STOP_SECONDS = 30  # longer than uvicorn waits for the requests that are under way
HEALTHY_SECONDS = 60
TIMEOUTS = pulumi.CustomTimeouts(create="3m", update="3m", delete="3m")
"""Of a container: an engine that takes a call and never answers would hold a run for 20 minutes."""
HEALTH_CHECK = docker.ContainerHealthcheckArgs(
    tests=["CMD", "python3", "-I", "-S", "service/health.py"],
    interval="5s",
    timeout="3s",
    start_period="30s",
    retries=3,
)
"""As the Dockerfile has it. A probe takes 0.05 s of CPU time, of which Docker takes 0.04 s."""

REPLACED_ON = ["healthcheck", "init", "tmpfs", "#initerror"]
"""The plugin calls the first ones "updated" without touching the running container. A container that did not get
healthy it takes for a good one in the next run, which would then remove those that serve."""


def docker_provider(host: HostConfig, image: ImageConfig) -> pulumi.ProviderResource:
    """The provider of the host's engine; without one the plugin takes DOCKER_HOST, or this machine's engine.

    The SDK's own class would declare DOCKER_HOST itself, and each engineer's would be a change of the stack. And a
    shell's DOCKER_CONTEXT would go before the host for containers and volumes, though not for images; an empty one
    here keeps it out.
    """
    opts = pulumi.ResourceOptions(version=version("pulumi-docker"))
    props = {"host": host.docker_host, "context": "", "registryAuth": registry_auth(image)}
    return pulumi.ProviderResource("docker", "docker", props, opts)


def labels() -> dict[str, str]:
    """What tells the objects of this stack from others."""
    return {"session-context.project": pulumi.get_project(), "session-context.stack": pulumi.get_stack()}


def container_labels() -> list[docker.ContainerLabelArgs]:
    """The same, for a container."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in labels().items()]


class SecretFiles(pulumi.ComponentResource):
    """Secrets as files in `/run/secrets`: `docker inspect` shows a container's environment, and no file.

    Docker copies no file into a container whose root is read-only. So a container that never runs takes them, in
    a volume that has no name and goes with the last container that mounts it.
    """

    mount: docker.ContainerVolumeArgs
    """What a container mounts to have the files."""

    def __init__(
        self, name: str, *, image: Image, files: dict[str, pulumi.Output[str]], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("session-context:index:SecretFiles", name, None, opts)
        holder = docker.Container(
            f"{name}-secrets",
            image=image.reference,
            start=False,
            must_run=False,
            volumes=[docker.ContainerVolumeArgs(container_path=SECRETS)],
            uploads=[
                docker.ContainerUploadArgs(file=f"{SECRETS}/{file}", content=content)
                for file, content in files.items()
            ],
            labels=container_labels(),
            network_mode="none",
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=image.built,
                custom_timeouts=TIMEOUTS,
                delete_before_replace=False,
                additional_secret_outputs=["uploads"],
            ),
        )
        # By its name: other secrets make another holder, whose new name replaces the containers that mount it.
        # The mode is part of the name, as `docker run --volumes-from` has it: the plugin passes on no other.
        self.mount = docker.ContainerVolumeArgs(from_container=pulumi.Output.concat(holder.name, ":ro"))
        self.register_outputs({"holder": holder.name})


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
        host: HostConfig,
        service: ServiceConfig,
        api_key_header: str | None,
        protect: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:DockerHost", name, None, opts)
        data = docker.Volume(
            f"{name}-data",
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in labels().items()],
            opts=pulumi.ResourceOptions(parent=self, protect=protect),  # the plugin takes no timeouts for it
        )
        volumes = [docker.ContainerVolumeArgs(volume_name=data.name, container_path=DATA)]
        if service.database_url:
            files = {"database_url": service.database_url}
            volumes.append(
                SecretFiles(name, image=image, files=files, opts=pulumi.ResourceOptions(parent=self)).mount
            )
        variables = _variables(service, api_key_header)
        names = [f"{name}-{number}" for number in range(1, host.replicas + 1)]
        self.containers = [
            self._replica(replica, image=image, network=host.network, variables=variables, volumes=volumes)
            for replica in names
        ]
        self.addresses = {
            replica: (container, pulumi.Output.concat(container.name, f":{PORT}"))
            for replica, container in zip(names, self.containers, strict=True)
        }
        self.register_outputs({"containers": [container.name for container in self.containers]})

    def _replica(
        self,
        name: str,
        *,
        image: Image,
        network: str,
        variables: list[str],
        volumes: list[docker.ContainerVolumeArgs],
    ) -> docker.Container:
        return docker.Container(
            name,
            image=image.reference,
            envs=variables,
            user=USER,
            read_only=True,
            init=True,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges"],
            memory=MEMORY_MB,
            memory_swap=MEMORY_MB,
            # An engine with a default of its own for open files fills it in where none is declared. Processes have
            # no limit: nproc counts a user's over the whole machine, and the plugin knows none for one container.
            ulimits=[docker.ContainerUlimitArgs(name="nofile", soft=FILES, hard=FILES)],
            tmpfs={"/tmp": "rw,noexec,nosuid,size=16m"},  # noqa: S108 - inside the container
            volumes=volumes,
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network)],
            labels=container_labels(),
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            restart="unless-stopped",
            stop_signal="SIGTERM",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            healthcheck=HEALTH_CHECK,
            wait=True,
            wait_timeout=HEALTHY_SECONDS,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=image.built,
                custom_timeouts=TIMEOUTS,
                # The new generation is healthy and in the gateway before the old one goes.
                delete_before_replace=False,
                replace_on_changes=REPLACED_ON,
            ),
        )


def _variables(service: ServiceConfig, api_key_header: str | None) -> list[str]:
    """`NAME=value` for each setting of the service that is not a secret."""
    variables = [f"MAX_CONTEXT_BYTES={service.max_context_bytes}"]
    if service.sequence_service_url:
        variables.append(f"SEQUENCE_SERVICE_URL={service.sequence_service_url}")
    if api_key_header:
        variables.append(f"API_KEY_HEADER={api_key_header}")
    return variables
