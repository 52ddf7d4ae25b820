"""The containers on a Docker engine: hardened, health-checked, and replaced without downtime."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.config.container_hosts import DockerConfig, HostConfig
from infra.config.groups import ImageConfig
from infra.host.publishing import publish
from infra.image import Image
from infra.paths import DATA, SECRETS
from infra.registry import registry_auth

PORT = 8080
USER = "10001:10001"
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
"""The default options of the default logging driver, json-file, which else would fill the disk."""

FILES = 4096
STOP_SECONDS = 30  # longer than uvicorn waits for open requests
HEALTHY_SECONDS = 60
TIMEOUTS = pulumi.CustomTimeouts(create="3m", update="3m", delete="3m")
"""The timeouts of a container. The default for an unresponsive engine is 20 minutes."""
HEALTH_CHECK: docker.ContainerHealthcheckArgsDict = {
    "tests": ["CMD", "python3", "-I", "-S", "service/health.py"],
    "interval": "5s",
    "timeout": "3s",
    "start_period": "30s",
    "retries": 3,
}
"""As in the Dockerfile. A probe takes 0.05 s of CPU time, 0.04 s of which are Docker's."""

REPLACE_ON_CHANGES = ["healthcheck", "init", "tmpfs", "#initerror"]
"""The plugin reports changes of the first ones as done, without changing the running container. It also treats a
container that failed to become healthy as healthy in the next run, which would then delete the serving ones."""


def docker_provider(host: HostConfig, image: ImageConfig) -> pulumi.ProviderResource:
    """Return the provider for the host's engine; by default that of DOCKER_HOST, or of this machine.

    The SDK's own class would store DOCKER_HOST as an input, so each engineer's would change the stack. And
    DOCKER_CONTEXT would take precedence over the host for containers and volumes, but not for images; an empty
    context prevents that.
    """
    opts = pulumi.ResourceOptions(version=version("pulumi-docker"))
    props = {"host": host.docker_host, "context": "", "registryAuth": registry_auth(image)}
    return pulumi.ProviderResource("docker", "docker", props, opts)


def labels() -> dict[str, str]:
    """Return the labels that identify the objects of this stack."""
    return {"session-context.project": pulumi.get_project(), "session-context.stack": pulumi.get_stack()}


def container_labels() -> list[docker.ContainerLabelArgsDict]:
    """Return the labels for a container."""
    return [{"label": key, "value": value} for key, value in labels().items()]


class SecretFiles(pulumi.ComponentResource):
    """Secrets as files in `/run/secrets`: `docker inspect` shows a container's environment, but no files.

    Docker copies no files into a container with a read-only root. So they are in an anonymous volume of a
    container that never runs; Docker deletes it with the last container that mounts it.
    """

    mount: docker.ContainerVolumeArgs
    """The mount for containers that need the files."""

    def __init__(self, name: str, *, image: Image, files: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("session-context:index:SecretFiles", name, None, opts)
        secrets_container = docker.Container(
            f"{name}-secrets",
            image=image.reference,
            start=False,
            must_run=False,
            volumes=[docker.ContainerVolumeArgs(container_path=SECRETS)],
            uploads=[
                docker.ContainerUploadArgs(file=f"{SECRETS}/{file}", content=pulumi.Output.secret(content))
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
        # By name: changed secrets replace this container, and its new name replaces those that mount it. The mode
        # is part of the name, as for `docker run --volumes-from`, since the plugin ignores any other mode.
        self.mount = docker.ContainerVolumeArgs(from_container=pulumi.Output.concat(secrets_container.name, ":ro"))
        self.register_outputs({"container": secrets_container.name})


class DockerHost(pulumi.ComponentResource):
    """The service's replicas, and the volume that they share."""

    containers: list[docker.Container]

    addresses: dict[str, tuple[pulumi.Resource, pulumi.Input[str]]]
    """By name: the container, and its HOST:PORT in the network, or on the engine's host if it is published."""

    outputs: dict[str, Any]

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        host: DockerConfig,
        variables: Mapping[str, str],
        secrets: Mapping[str, str],
        protect: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:DockerHost", name, None, opts)
        data = self._data_volume(name, host, protect=protect)
        volumes = [docker.ContainerVolumeArgs(volume_name=data.name, container_path=DATA)]
        if secrets:
            volumes.append(
                SecretFiles(name, image=image, files=secrets, opts=pulumi.ResourceOptions(parent=self)).mount
            )
        arguments = _build_arguments(host, variables)
        parts = [arguments, image.version, secrets, host.docker_host]
        published = host.publish and publish(host.publish, replicas=host.replicas, version_parts=parts)
        self.containers, self.addresses = [], {}
        # A published replica is named by its port: on another port it is another container, beside this one.
        for number in published.ports if published else range(1, host.replicas + 1):
            replica = f"{name}-{number}"
            container = docker.Container(
                replica,
                image=image.reference,
                volumes=volumes,
                ports=[published.container_port(PORT, number)] if published else None,
                **arguments,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=image.built,
                    custom_timeouts=TIMEOUTS,
                    # New containers are healthy and in the gateway before the old ones are deleted. One that is
                    # published must leave its port first, but then it is one that failed and never served.
                    delete_before_replace=bool(published),
                    replace_on_changes=REPLACE_ON_CHANGES,
                ),
            )
            in_network = pulumi.Output.concat(container.name, f":{PORT}")
            self.containers.append(container)
            self.addresses[replica] = (container, published.target(number) if published else in_network)
        names = {"containers": [container.name for container in self.containers]}
        self.outputs = names | (published.outputs if published else {})
        self.register_outputs(self.outputs)

    def _data_volume(self, name: str, host: DockerConfig, *, protect: bool) -> docker.Volume:
        return docker.Volume(
            f"{name}-data",
            # The plugin takes over a volume that has this name already, such as that of the stack's earlier life.
            name=(host.data_volume or f"{name}-{pulumi.get_stack()}-data") if host.keep_data else None,
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in labels().items()],
            opts=pulumi.ResourceOptions(  # the plugin supports no timeouts for it
                parent=self,
                protect=protect,
                retain_on_delete=host.keep_data,
                # Another name would replace the volume, and leave its data behind. Only a create uses it.
                ignore_changes=["name"] if host.keep_data else None,
            ),
        )


def _build_arguments(host: DockerConfig, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what the replicas have in common, in plain values, known in each preview."""
    return {
        "envs": [f"{key}={value}" for key, value in variables.items()],
        "user": USER,
        "read_only": True,
        "init": True,
        "capabilities": {"drops": ["ALL"]},
        "security_opts": ["no-new-privileges"],
        "memory": host.resources.memory_mb,
        "memory_swap": host.resources.memory_mb,
        "cpus": host.resources.cpus,
        # Without a limit for open files, the engine's default would appear as drift. Processes have no limit:
        # nproc counts those of the user on the whole host, and the plugin has no input for one container.
        "ulimits": [{"name": "nofile", "soft": FILES, "hard": FILES}],
        "tmpfs": {"/tmp": "rw,noexec,nosuid,size=16m"},  # noqa: S108 - inside the container
        "networks_advanced": [{"name": host.network}] if host.network else None,
        "labels": container_labels(),
        "log_driver": host.log_driver or "json-file",
        "log_opts": host.log_options if host.log_driver else LOG_OPTIONS | host.log_options,
        "restart": "unless-stopped",
        "stop_signal": "SIGTERM",
        "stop_timeout": STOP_SECONDS,
        "destroy_grace_seconds": STOP_SECONDS,
        "healthcheck": HEALTH_CHECK,
        "wait": True,
        "wait_timeout": HEALTHY_SECONDS,
    }
