"""The address and the ports at which replicas are published."""

import pytest

from infra.config.container_hosts import DockerConfig
from infra.config.publish import PublishConfig
from tests.infra.config.loading import load, rejection


def published(value: str, *, replicas: str = "1") -> PublishConfig:
    host = load(publish=value, replicas=replicas).host
    assert isinstance(host, DockerConfig)
    assert host.publish is not None
    return host.publish


@pytest.mark.parametrize(
    ("value", "address", "ports"),
    [
        ("10.0.0.5:8080-8095", "10.0.0.5", range(8080, 8096)),
        ("172.31.255.1:1-2", "172.31.255.1", range(1, 3)),
        ("192.168.1.4:65534-65535", "192.168.1.4", range(65534, 65536)),
        ("100.64.0.7:8080-8081", "100.64.0.7", range(8080, 8082)),
        ("127.0.0.2:8080-8081", "127.0.0.2", range(8080, 8082)),
        ("[fd00:0::5]:8080-8081", "fd00::5", range(8080, 8082)),
        ("[::1]:8080-8081", "::1", range(8080, 8082)),
    ],
)
def test_a_private_address_with_a_range_of_ports_is_accepted(value: str, address: str, ports: range) -> None:
    assert published(value) == PublishConfig(address=address, ports=ports)


MALFORMED = """
10.0.0.5 10.0.0.5:8080 :8080-8095 8080-8095 docker-1.internal:8080-8095 fd00::5:8080-8095 [10.0.0.5]:8080-8095
10.0.0.256:8080-8095 10.0.5:8080-8095 http://10.0.0.5:8080-8095 []:1-2 10.0.0.5/24:8080-8095 10.0.0.5:8080-8095/tcp
[fd00::5%eth0]:8080-8095 10.0.0.5:8080-80955555
"""


@pytest.mark.parametrize("value", MALFORMED.split())
def test_anything_else_is_rejected_with_an_example(value: str) -> None:
    assert f"publish must be ADDRESS:FIRST-LAST, such as 10.0.0.5:8080-8095, not {value!r}" in rejection(
        publish=value
    )


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])  # noqa: S104 - rejected
def test_every_address_of_a_host_is_rejected(address: str) -> None:
    message = rejection(publish=f"{address}:8080-8095")
    assert "which is every address of the engine's host, public ones too: name the private one" in message


PUBLIC = """
8.8.8.8 203.0.113.5 172.32.0.1 169.254.1.1 224.0.0.1 255.255.255.255
[2001:db8::5] [2606:4700::1111] [fe80::5] [::ffff:10.0.0.5] [::ffff:8.8.8.8]
"""


@pytest.mark.parametrize("address", PUBLIC.split())
def test_an_address_that_is_not_private_is_rejected(address: str) -> None:
    message = rejection(publish=f"{address}:8080-8095")
    assert "publish must have a private address of the engine's host" in message
    assert "Name one that the gateway reaches, such as 10.0.0.5:8080-8095" in message


@pytest.mark.parametrize("ports", ["8095-8080", "0-8095", "8080-65536"])
def test_ports_that_do_not_exist_are_rejected(ports: str) -> None:
    assert "publish must have ports from 1 to 65535, the lower one first" in rejection(publish=f"10.0.0.5:{ports}")


def test_each_replica_needs_a_port_for_the_next_version_too() -> None:
    assert published("10.0.0.5:8080-8085", replicas="3").ports == range(8080, 8086)
    message = rejection(publish="10.0.0.5:8080-8084", replicas="3")
    assert "publish has 5 ports, but 3 replicas need 6" in message


def test_published_containers_need_no_network_of_the_gateway() -> None:
    host = load(publish="10.0.0.5:8080-8095", network="").host
    assert isinstance(host, DockerConfig)
    assert host.network is None
    assert "network is missing" in rejection(network="")
    assert "network is missing" not in rejection(publish="everywhere", network="")
