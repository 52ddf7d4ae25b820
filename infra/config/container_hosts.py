"""What runs the service: the config of each kind of host, and why a key of one is refused with the other."""

import re
from dataclasses import dataclass
from typing import ClassVar, Self

import pulumi

from infra.config import cluster_parsers, parsers
from infra.config.parsers import boolean, one_of, whole_number
from infra.config.publish import PublishConfig
from infra.config.reader import ConfigReader, as_output
from infra.config.urls import database_url, url
from infra.paths import DATA

MAX_REPLICAS = 16
MAX_PODS = 100
MEMORY_MB = (256, 65_536)
MB_PER_PROCESS = 128
MAX_PROCESSES = 64  # the service's own: service/settings.py
STACK = re.compile("[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""The stack's objects are named `session-context-STACK`, and a Service's name has at most 63 characters."""

NODE_PORTS = (1, 65535)  # a cluster can have another range than the usual 30000 to 32767
ONLY_ON_DOCKER = {
    "dataVolume": "pods keep their data in PostgreSQL",
    "keepData": "pods keep their data in PostgreSQL, which no stack removes",
    "logDriver": "the nodes of the cluster collect the logs of pods",
    "logOptions": "the nodes of the cluster collect the logs of pods",
    "network": "Kubernetes has no Docker network; nodeAddresses or gatewaySources say where Kong is",
    "publish": "a Service publishes the pods: nodeAddresses and nodePort say where",
}
ONLY_ON_KUBERNETES = {
    "gatewaySources": "only the Docker network of the gateway reaches the containers, or who reaches publish",
    "imagePullSecret": "Docker's plugin has the credentials of the registry: see registryUsername",
    "kubeContext": "there is no cluster; dockerHost names the engine",
    "kubeconfig": "there is no cluster; dockerHost names the engine",
    "maxReplicas": "Docker has no autoscaler; replicas is the number of containers",
    "namespace": "Docker has no namespaces",
    "nodeAddresses": "there are no nodes; publish says where a gateway on another machine reaches the containers",
    "nodePort": "there are no nodes; publish says where a gateway on another machine reaches the containers",
}


@dataclass(frozen=True, kw_only=True)
class ResourcesConfig:
    """What each replica may use."""

    memory_mb: int
    processes: int
    cpus: str | None
    """How many CPUs, such as 1.5; None for no limit."""

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        memory_mb = config.required("memory", whole_number(*MEMORY_MB))
        processes = config.required("processes", whole_number(1, MAX_PROCESSES))
        if config.accepted("memory", "processes") and processes * MB_PER_PROCESS > memory_mb:
            config.reject(
                f"processes {processes} requires memory {processes * MB_PER_PROCESS} or more, {MB_PER_PROCESS} MB "
                f"for each; it is {memory_mb}"
            )
        return cls(memory_mb=memory_mb, processes=processes, cpus=config.optional("cpus", parsers.cpus))


@dataclass(frozen=True, kw_only=True)
class DockerConfig:
    """A Docker engine that runs the containers."""

    docker_host: str | None
    network: str | None
    """The network of the containers; None, if they are published, for the engine's default one."""
    publish: PublishConfig | None
    """Where the gateway reaches the containers; None for a gateway in their network."""
    replicas: int
    resources: ResourcesConfig
    log_driver: str | None
    log_options: dict[str, str]
    keep_data: bool
    """Whether a destroy leaves the volume, which a later `up` finds again by its name."""
    data_volume: str | None
    """The name of that volume; None for one that is made of the stack's name."""
    database_required: ClassVar[str] = ""
    """Why the stack must set a database; empty where the volume has one of SQLite."""
    registry_required: ClassVar[str] = ""
    """Why the stack must name a registry; empty where the engine that runs the image has built it."""

    @staticmethod
    def parse_database_url(value: str) -> str:
        """Accept what the service supports: PostgreSQL, or SQLite in the volume."""
        return database_url(DATA)(value)

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        keep_data = config.required("keepData", boolean)
        data_volume = config.optional("dataVolume", parsers.volume)
        if data_volume and not keep_data and config.accepted("keepData"):
            config.reject("dataVolume requires keepData true, or a destroy would remove that volume with its data")
        publish = PublishConfig.read(config)
        replicas = config.required("replicas", whole_number(1, MAX_REPLICAS))
        if publish and config.accepted("publish", "replicas") and (conflict := publish.conflict(replicas)):
            config.reject(conflict)
        read_network = config.required if publish is None and config.accepted("publish") else config.optional
        return cls(
            docker_host=_docker_host(config),
            network=read_network("network", parsers.network),
            publish=publish,
            replicas=replicas,
            resources=ResourcesConfig.read(config),
            log_driver=config.optional("logDriver", parsers.log_driver),
            log_options=config.structured("logOptions", parsers.log_options),
            keep_data=keep_data,
            data_volume=data_volume,
        )


@dataclass(frozen=True, kw_only=True)
class KubernetesConfig:
    """A Kubernetes cluster that runs the pods, and how the gateway reaches them."""

    docker_host: str | None
    """The Docker engine that builds the image."""
    context: str | None
    """A context of the kubeconfig; None for its current one."""
    kubeconfig: pulumi.Output[str] | None
    """A whole kubeconfig; None for that of KUBECONFIG or ~/.kube/config."""
    namespace: str
    image_pull_secret: str | None
    """The Secret in the namespace that has the nodes' credentials for it."""
    resources: ResourcesConfig
    replicas: int
    max_replicas: int | None
    """How many pods a HorizontalPodAutoscaler may run; None for none."""
    node_addresses: list[str]
    """The nodes, for a gateway outside of the cluster; empty for one inside."""
    node_port: int | None
    gateway_sources: list[str]
    """Where the gateway's requests come from: CIDRs for one outside, namespaces for one inside."""
    database_required: ClassVar[str] = "pods share no disk, which SQLite would need: set the URL of a PostgreSQL"
    registry_required: ClassVar[str] = "the nodes pull the image from a registry: set one of them"

    @staticmethod
    def parse_database_url(value: str) -> str:
        """Accept PostgreSQL alone."""
        return cluster_parsers.postgresql_url(value)

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        stack = pulumi.get_stack()
        if not STACK.fullmatch(stack):
            config.reject(
                f"stack {stack} needs another name, since its objects in the cluster are named after it: up to 40 "
                "lower-case letters, digits and '-'"
            )
        replicas = config.required("replicas", whole_number(1, MAX_PODS))
        max_replicas = config.optional("maxReplicas", whole_number(1, MAX_PODS))
        if config.accepted("replicas", "maxReplicas") and max_replicas and max_replicas <= replicas:
            config.reject(f"maxReplicas {max_replicas} must be more than replicas, which is {replicas}")
        node_addresses = config.structured("nodeAddresses", cluster_parsers.node_addresses)
        node_port = config.optional("nodePort", whole_number(*NODE_PORTS))
        if config.accepted("nodeAddresses", "nodePort") and bool(node_addresses) != bool(node_port):
            config.reject(
                "nodeAddresses and nodePort belong together: set both for a gateway outside of the cluster, and "
                "neither for one inside"
            )
        return cls(
            docker_host=_docker_host(config),
            context=config.optional("kubeContext", str),
            kubeconfig=as_output(config.secret("kubeconfig")),
            namespace=config.required("namespace", cluster_parsers.dns_label),
            image_pull_secret=config.optional("imagePullSecret", cluster_parsers.dns_label),
            resources=ResourcesConfig.read(config),
            replicas=replicas,
            max_replicas=max_replicas,
            node_addresses=node_addresses,
            node_port=node_port,
            gateway_sources=config.structured(
                "gatewaySources",
                cluster_parsers.source_networks if node_addresses else cluster_parsers.source_namespaces,
            ),
        )


HostConfig = DockerConfig | KubernetesConfig


def read_host(config: ConfigReader) -> HostConfig:
    """Read the config of the host that `containerHost` names."""
    kind = config.required("containerHost", one_of("docker", "kubernetes"))
    if kind == "kubernetes":
        config.reject_keys(ONLY_ON_DOCKER)
        return KubernetesConfig.read(config)
    if config.accepted("containerHost"):
        config.reject_keys(ONLY_ON_KUBERNETES)
    else:
        config.ignore_keys(ONLY_ON_KUBERNETES)
    return DockerConfig.read(config)


def _docker_host(config: ConfigReader) -> str | None:
    return config.optional("dockerHost", url("ssh", "tcp", "unix", "npipe"))
