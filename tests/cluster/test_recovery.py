"""What a killed engine and a killed cluster leave, and that `make up` continues from there."""

import os
import random
import signal
import time

import pytest

from local.processes import list_processes
from tests.cluster.deployment import SAME, Deployment
from tests.waiting import wait_for

KILLS = int(os.environ.get("KILLS") or 2)
UP_SECONDS = 30
"""About how long an `up` takes once its engine runs."""


@pytest.mark.parametrize("number", range(KILLS))
def test_after_the_engine_was_killed_the_next_up_converges(deployment: Deployment, number: int) -> None:
    moment = random.uniform(0, UP_SECONDS)  # noqa: S311 - no secret
    print(f"kill {number} after {moment:.1f} s")
    deployment.change_service()
    with deployment.start("up") as running:
        wait_for(lambda: deployment.engines() or running.poll() is not None, seconds=120)
        time.sleep(moment)
        deployment.kill_engine()
    deployment.make("up")
    deployment.pulumi(SAME)
    assert len(deployment.images()) == 1
    assert deployment.request("GET", "/sessions?limit=1").status_code == 200


def test_a_cluster_that_was_killed_is_made_again_with_its_images_and_its_database(deployment: Deployment) -> None:
    created = deployment.request("POST", "/sessions", json={"userId": 1, "context": "kept"}).json()["sessionId"]
    for pid, command in list_processes():
        if "local/cluster/supervisor.py" in command:
            os.kill(pid, signal.SIGKILL)
    assert "does not run" in deployment.make("up", fails=True)
    deployment.make_cluster()
    assert "is missing" not in deployment.make("up")
    deployment.pulumi(SAME)
    assert deployment.settled(200, f"/sessions/{created}").json()["context"] == "kept"


def test_images_that_the_registry_lost_are_pushed_again(deployment: Deployment) -> None:
    deployment.lose_images()
    deployment.kubectl("delete", "pods", "--all", "--wait=false")
    assert "is missing in its registry" in deployment.make("up")
    deployment.pulumi(SAME)
    wait_for(lambda: deployment.ready_pods() == 2, seconds=120)
