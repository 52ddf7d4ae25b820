"""What clients notice of planned changes on a cluster, and that each leaves nothing to change."""

from tests.cluster.deployment import SAME, Deployment
from tests.stack.load import Load, failures


def test_a_second_up_changes_nothing(deployment: Deployment) -> None:
    assert "25 unchanged" in deployment.make("up")


def test_an_update_fails_no_request_and_spreads_its_pods(deployment: Deployment) -> None:
    before = deployment.images()
    deployment.change_service()
    with Load(deployment) as load:
        deployment.make("up")
    assert failures(load.reads) == failures(load.creates) == []
    assert deployment.images().isdisjoint(before)
    assert all("@sha256:" in image for image in deployment.images())
    assert sorted(pod["spec"]["nodeName"] for pod in deployment.pods()) == ["node-1", "node-2"]
    deployment.pulumi(SAME)


def test_scaling_fails_no_request(deployment: Deployment) -> None:
    with Load(deployment) as load:
        for replicas in (3, 1, 2):
            deployment.set("replicas", replicas)
            deployment.make("up")
            assert len(deployment.pods()) == replicas
    assert failures(load.reads) == failures(load.creates) == []
