"""Replicas published at a private address, for a gateway that is not in their network."""

from collections.abc import Iterator

import pytest
import requests

from tests.ports import free_port
from tests.stack.clone import NO_CHANGES, Clone, docker_client
from tests.stack.load import Load, failures

UP = "up --yes --skip-preview"


class Published:
    """The clone with two published replicas; its gateway reaches them at the host's address in its network."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        with docker_client() as client:
            network = client.networks.get(f"session-context-{clone.stack}").attrs
        self.address = network["IPAM"]["Config"][0]["Gateway"]
        first = free_port()
        self._halves = [[f"{self.address}:{first + half + at}" for at in (0, 1)] for half in (0, 2)]
        clone.set("publish", f"{self.address}:{first}-{first + 3}")
        clone.set("replicas", 2)
        clone.make("up")

    def half(self) -> int:
        """Return which half of the ports the gateway's targets have, which are the published ones."""
        targets = self.clone.targets()
        assert targets == sorted(self.clone.outputs()["published"])
        with docker_client() as client:
            bound = [
                f"{port['HostIp']}:{port['HostPort']}"
                for name in self.clone.outputs()["containers"]
                for port in client.containers.get(name).attrs["NetworkSettings"]["Ports"]["8080/tcp"]
            ]
        assert sorted(bound) == targets
        return self._halves.index(targets)


@pytest.fixture
def published(redeployed: Clone) -> Published:
    return Published(redeployed)


@pytest.fixture
def broken(published: Published) -> Iterator[Clone]:
    """Yield the clone with a version of the service that never becomes healthy; restore it afterwards."""
    clone = published.clone
    program, stack = clone.folder / "service" / "__main__.py", clone.folder / "infra" / "host" / "docker.py"
    original = {file: file.read_text() for file in (program, stack)}
    program.write_text("import time\ntime.sleep(1000)\n")
    stack.write_text(original[stack].replace("HEALTHY_SECONDS = 60", "HEALTHY_SECONDS = 9"))
    yield clone
    for file, text in original.items():
        file.write_text(text)


def test_versions_take_the_ports_in_turns_without_a_failed_request(published: Published) -> None:
    clone = published.clone
    first = published.half()
    assert requests.get(f"http://{clone.targets()[0]}/readyz", timeout=10).status_code == 200
    clone.pulumi(NO_CHANGES)
    for half in (1 - first, first):
        clone.change_service()
        with Load(clone) as load:
            clone.pulumi(UP)
        assert failures(load.reads) + failures(load.creates) == []
        assert published.half() == half
        clone.pulumi(NO_CHANGES)
    clone.set("replicas", 1)
    clone.pulumi(UP)
    assert clone.outputs()["published"] == [clone.targets()[0]]


def test_a_version_that_fails_again_and_again_leaves_the_ports_of_the_running_one(
    published: Published, broken: Clone
) -> None:
    before = published.half()
    for _ in range(2):
        assert "healthy" in broken.pulumi(UP, fails=True)
        assert broken.request("GET", "/sessions").status_code == 200
    (broken.folder / "service" / "__main__.py").write_text("import time\ntime.sleep(2000)\n")
    broken.pulumi(UP, fails=True)
    assert broken.request("GET", "/sessions").status_code == 200
    assert published.half() == before
