"""What clients notice when one of two replicas restarts, is killed, or loses its address."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.stack.clone import Clone, docker_client
from tests.stack.load import READERS, Load, failures
from tests.waiting import wait_for


@pytest.fixture(scope="module", autouse=True)
def two_replicas(clone: Clone) -> Iterator[None]:
    """Deploy two replicas; afterwards, one again, which also restarts the killed one."""
    clone.set("replicas", 2)
    clone.make("up")
    yield
    clone.pulumi(f"config rm replicas --stack {clone.stack}")
    clone.make("up")


def test_a_restart_of_one_replica_fails_no_read_and_no_create(clone: Clone) -> None:
    name = clone.containers()[0]
    with Load(clone) as load, docker_client() as client:
        subprocess.run(["docker", "restart", name], check=True, capture_output=True)
        wait_for(lambda: client.api.inspect_container(name)["State"]["Health"]["Status"] == "healthy")
        time.sleep(2)  # until the gateway's own probe has found it
    assert (failures(load.reads), failures(load.creates)) == ([], [])
    assert len(load.reads) > 200


def test_a_killed_replica_fails_no_read_and_holds_none_for_long(clone: Clone) -> None:
    with Load(clone) as load:
        subprocess.run(["docker", "kill", clone.containers()[0]], check=True, capture_output=True)
        time.sleep(4)  # a request that hangs is waited for at the end
    assert failures(load.reads) == []
    seconds = sorted(took for took, _ in load.reads)
    assert seconds[int(len(seconds) * 0.999) - 1] <= 3


def test_a_replica_whose_address_vanishes_fails_no_read_and_holds_a_client_once(clone: Clone) -> None:
    """Its connections stay open and answer nothing, as on a host that lost its network."""
    name = clone.containers()[0]
    with docker_client() as client:
        [network] = client.containers.get(name).attrs["NetworkSettings"]["Networks"]
        with Load(clone) as load:
            client.networks.get(network).disconnect(name, force=True)
            time.sleep(15)  # longer than the gateway waits for an answer
    assert failures(load.reads) == []
    assert sum(took > 3 for took, _ in load.reads) <= READERS, "a client met the lost address a second time"
