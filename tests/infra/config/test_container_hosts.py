"""The config of the host: what Kubernetes needs, and which keys have no effect on the other host."""

import pytest

from infra.config.container_hosts import ONLY_ON_DOCKER, ONLY_ON_KUBERNETES, DockerConfig, KubernetesConfig
from tests.infra.config.loading import load_stack, stack_rejection

INSIDE: dict[str, object] = {"nodeAddresses": [], "nodePort": ""}
DOCKER_VALUES: dict[str, object] = {
    "keepData": True,
    "logOptions": {"tag": "x"},
    "publish": "10.0.0.5:8080-8095",
}
VALUES: dict[str, object] = {"gatewaySources": ["10.0.0.0/8"], "nodeAddresses": ["10.0.0.1"], "nodePort": "30080"}


def test_a_gateway_outside_reaches_a_port_of_each_node() -> None:
    host = load_stack("kubernetes", {}).host
    assert isinstance(host, KubernetesConfig)
    assert (host.node_addresses, host.node_port) == (["10.0.1.11", "10.0.2.11", "10.0.3.11"], 30080)


def test_a_gateway_inside_needs_no_nodes() -> None:
    host = load_stack("kubernetes", INSIDE | {"gatewaySources": ["kong"]}).host
    assert isinstance(host, KubernetesConfig)
    assert (host.node_addresses, host.node_port, host.gateway_sources) == ([], None, ["kong"])


@pytest.mark.parametrize("key", ONLY_ON_KUBERNETES)
def test_a_key_of_kubernetes_is_rejected_on_docker(key: str) -> None:
    message = stack_rejection("dev", {key: VALUES.get(key, "x")})
    assert f"{key} has no effect here: {ONLY_ON_KUBERNETES[key]}" in message


@pytest.mark.parametrize("key", ONLY_ON_DOCKER)
def test_a_key_of_docker_is_rejected_on_kubernetes(key: str) -> None:
    message = stack_rejection("kubernetes", {key: DOCKER_VALUES.get(key, "x")})
    assert f"{key} has no effect here: {ONLY_ON_DOCKER[key]}" in message


@pytest.mark.parametrize(("memory", "largest"), [("256", 2), ("1024", 8), ("65536", 64)])
def test_the_largest_context_follows_from_the_memory(memory: str, largest: int) -> None:
    size = largest * 2**20
    assert load_stack("dev", {"memory": memory, "maxContextBytes": size}).service.max_context_bytes == size
    expected = f"maxContextBytes must be a whole number from 1 to {size}"
    assert expected in stack_rejection("dev", {"memory": memory, "maxContextBytes": size + 1})


def test_each_process_needs_memory() -> None:
    keys = {"memory": 512, "processes": 4, "maxContextBytes": 2**20}
    assert load_stack("dev", keys).host.resources.processes == 4
    assert "maxContextBytes must be a whole number from 1 to 1048576" in stack_rejection(
        "dev", keys | {"maxContextBytes": 2**20 + 1}
    )
    assert "processes 5 requires memory 640 or more, 128 MB for each; it is 512" in stack_rejection(
        "dev", keys | {"processes": 5}
    )


def test_an_unknown_host_rejects_no_key_of_either() -> None:
    message = stack_rejection("kubernetes", {"containerHost": "swarm"})
    assert "containerHost must be one of docker, kubernetes, not 'swarm'" in message
    assert "has no effect" not in message
    assert "unknown config key" not in message


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("databaseUrl", "", "databaseUrl is missing; pods share no disk"),
        ("namespace", "", "namespace is missing"),
        ("namespace", "Team_A", "namespace must be a DNS label"),
        ("imageRepository", "", "imageRepository is missing, and so is image; the nodes pull the image"),
        ("nodePort", "", "nodeAddresses and nodePort belong together"),
        ("nodeAddresses", [], "nodeAddresses and nodePort belong together"),
        ("nodeAddresses", ["10.0.1.11:30080"], "nodeAddresses must contain addresses or names of nodes"),
        ("gatewaySources", [], "gatewaySources is missing; set the networks (CIDRs)"),
        ("gatewaySources", ["kong"], "gatewaySources must contain networks as CIDRs"),
        ("replicas", "101", "replicas must be a whole number from 1 to 100"),
        ("maxReplicas", "3", "maxReplicas 3 must be more than replicas, which is 3"),
    ],
)
def test_what_is_wrong_is_named(key: str, value: object, says: str) -> None:
    assert says in stack_rejection("kubernetes", {key: value})


def test_sqlite_is_rejected_with_the_reason() -> None:
    message = stack_rejection("kubernetes", {}, {"databaseUrl": "sqlite:////app/data/canary.db"})
    assert "databaseUrl must start with postgresql:// on Kubernetes: pods share no disk" in message


def test_a_gateway_inside_is_named_by_its_namespaces() -> None:
    message = stack_rejection("kubernetes", INSIDE)
    assert "gatewaySources must contain names of namespaces" in message


def test_docker_stays_the_default() -> None:
    assert isinstance(load_stack("dev", {}).host, DockerConfig)
