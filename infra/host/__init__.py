"""What runs the service: a Docker engine or a Kubernetes cluster, behind one small interface."""

from collections.abc import Mapping
from typing import Any, Protocol

import pulumi

from infra.config import StackConfig
from infra.config.container_hosts import KubernetesConfig
from infra.gateway import API_KEY_HEADER
from infra.host.docker import DockerHost
from infra.image import Image


class Host(Protocol):
    """What the stack needs of its host."""

    @property
    def addresses(self) -> Mapping[str, tuple[pulumi.Resource, pulumi.Input[str]]]:
        """By name: what the gateway sends requests to, and its HOST:PORT."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the stack exports of its host."""


def create_host(name: str, *, config: StackConfig, image: Image, opts: pulumi.ResourceOptions) -> Host:
    """Create the host that `containerHost` names; `opts` has the provider of the Docker engine."""
    variables, secrets = build_variables(config), build_secrets(config)
    if isinstance(config.host, KubernetesConfig):
        from infra.host.kubernetes import KubernetesHost  # loading its SDK takes seconds

        files = {file: pulumi.Output.secret(content) for file, content in secrets.items()}
        return KubernetesHost(name, image=image, host=config.host, variables=variables, secrets=files)
    return DockerHost(
        name,
        image=image,
        host=config.host,
        variables=variables,
        secrets=secrets,
        protect=config.protect,
        opts=opts,
    )


def build_variables(config: StackConfig) -> dict[str, str]:
    """Return the service's settings as environment variables; none of them is a secret."""
    variables = {"MAX_CONTEXT_BYTES": str(config.service.max_context_bytes)}
    if config.host.resources.processes > 1:
        variables["WEB_CONCURRENCY"] = str(config.host.resources.processes)
    if config.service.sequence_service_url:
        variables["SEQUENCE_SERVICE_URL"] = config.service.sequence_service_url
    if config.access.key_auth:
        variables["API_KEY_HEADER"] = API_KEY_HEADER
    return variables


def build_secrets(config: StackConfig) -> dict[str, str]:
    """Return the content of each file that the service finds in `/run/secrets`, by the file's name."""
    return {"database_url": config.service.database_url} if config.service.database_url else {}
