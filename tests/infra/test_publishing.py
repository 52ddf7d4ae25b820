"""Published replicas: which ports a version gets, and what the gateway sends requests to."""

from pathlib import Path

import pulumi
import pytest

from infra.config.publish import PublishConfig
from infra.host.publishing import Running, choose_ports
from tests.infra.plans import plan_with

CONTAINER = "docker:index/container:Container"
TARGET = "kong:index:KongTarget"


def chosen(value: str, *, replicas: int = 2, version: str = "new", ports: tuple[int, ...] = ()) -> list[int]:
    """Choose ports beside a running version, which is "old"."""
    running = Running(ports=frozenset(ports), version="old" if ports else None)
    return choose_ports(PublishConfig.parse(value), replicas=replicas, version=version, running=running)


def test_a_new_version_takes_the_ports_that_the_running_one_leaves_free() -> None:
    value = "10.0.0.5:8080-8085"
    assert chosen(value) == [8080, 8081]
    assert chosen(value, ports=(8080, 8081)) == [8083, 8084]
    assert chosen(value, ports=(8083, 8084)) == [8080, 8081]


def test_the_same_version_keeps_its_ports_when_the_number_of_replicas_changes() -> None:
    value = "10.0.0.5:8080-8085"
    assert chosen(value, version="old", ports=(8083, 8084)) == [8083, 8084]
    assert chosen(value, version="old", ports=(8083, 8084), replicas=3) == [8083, 8084, 8085]
    assert chosen(value, version="old", ports=(8083, 8084), replicas=1) == [8083]


def test_a_new_version_with_fewer_or_more_replicas_shares_no_port_with_the_running_one() -> None:
    assert chosen("10.0.0.5:8080-8085", ports=(8083, 8084, 8085), replicas=1) == [8080]
    assert chosen("10.0.0.5:8080-8085", ports=(8080,), replicas=3) == [8083, 8084, 8085]


def test_another_range_may_overlap_the_ports_that_are_in_use() -> None:
    assert chosen("10.0.0.5:8084-8091", ports=(8083, 8084)) == [8088, 8089]
    with pytest.raises(pulumi.RunError, match="which keep 8081, 8082 until the new ones serve"):
        chosen("10.0.0.5:8080-8083", ports=(8081, 8082))


def test_each_replica_is_published_at_a_port_and_is_a_target(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, publish="10.0.0.5:8080-8095", replicas=2)
    resources = plan["resources"]
    for port in (8080, 8081):
        container = resources[f"{CONTAINER}::session-context-{port}"]
        assert container["inputs"]["ports"] == [{"internal": 8080, "external": port, "ip": "10.0.0.5"}]
        assert container["options"]["deleteBeforeReplace"] is True
        target = resources[f"{TARGET}::session-context-{port}"]
        assert target["inputs"]["target"] == f"10.0.0.5:{port}"
        assert f"{CONTAINER}::session-context-{port}" in target["dependsOn"]
    assert len([name for name in resources if name.startswith((CONTAINER, TARGET))]) == 4
    assert plan["outputs"]["published"] == ["10.0.0.5:8080", "10.0.0.5:8081"]
    assert plan["outputs"]["publishedVersion"] == "[secret]"


def test_an_ipv6_address_is_in_brackets_where_a_port_follows(tmp_path: Path) -> None:
    resources = plan_with(tmp_path, publish="[fd00::5]:8080-8081", network="")["resources"]
    container = resources[f"{CONTAINER}::session-context-8080"]["inputs"]
    assert container["ports"] == [{"internal": 8080, "external": 8080, "ip": "fd00::5"}]
    assert "networksAdvanced" not in container
    assert resources[f"{TARGET}::session-context-8080"]["inputs"]["target"] == "[fd00::5]:8080"


def test_replicas_in_the_network_of_the_gateway_are_not_published(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, replicas=2)
    assert "published" not in plan["outputs"]
    containers = [each["inputs"] for name, each in plan["resources"].items() if name.startswith(CONTAINER)]
    assert ["ports" in container for container in containers] == [False, False]
