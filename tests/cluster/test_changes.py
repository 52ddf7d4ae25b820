"""What clients notice of changes on a cluster, and that each leaves nothing to change."""

from tests.cluster.deployment import SAME, Deployment
from tests.gapless.changes import LOST_NODE_FAILURES, Change, deploy_broken_version
from tests.gapless.trial import apply_under_load

RATE, QUIET_SECONDS = 40, 1


def faults(deployment: Deployment, *changes: Change) -> list[str]:
    """Return what went wrong for clients, and which of their writes are lost."""
    return apply_under_load(deployment, changes, rate=RATE, quiet_seconds=QUIET_SECONDS)[1]


def test_a_second_up_changes_nothing(deployment: Deployment) -> None:
    assert "25 unchanged" in deployment.make("up")


def test_an_update_and_scaling_fail_no_request_and_spread_the_pods(deployment: Deployment) -> None:
    before = deployment.images()

    def update() -> None:
        deployment.change_service()
        deployment.set("replicas", 3)
        deployment.make("up")

    def scale() -> None:
        assert len(deployment.pods()) == 3
        deployment.set("replicas", 2)
        deployment.make("up")

    assert faults(deployment, Change("update", 0, update), Change("scale 3 → 2", 0, scale)) == []
    assert deployment.images().isdisjoint(before)
    assert all("@sha256:" in image for image in deployment.images())
    assert deployment.nodes_of_pods() == ["node-1", "node-2"]
    deployment.pulumi(SAME)


def test_a_version_that_never_becomes_ready_fails_no_request_and_says_why(deployment: Deployment) -> None:
    printed: list[str] = []
    broken = Change("broken version", 0, lambda: printed.append(deploy_broken_version(deployment)))
    assert faults(deployment, broken) == []
    assert "Last warning of Kubernetes: Startup probe failed: " in printed[0]
    assert "Last log lines:\n    waits for ever\n" in printed[0]
    deployment.pulumi(SAME)


def test_an_image_that_can_not_be_pulled_is_named(deployment: Deployment) -> None:
    original, host = deployment.file.read_text(), deployment.folder / "infra" / "host" / "kubernetes.py"
    program = host.read_text()
    host.write_text(program.replace("ROLLOUT_SECONDS = 180", "ROLLOUT_SECONDS = 20"))
    deployment.shell(f"pulumi config rm imageRepository --stack {deployment.stack}")
    deployment.set("image", f"127.0.0.1:15000/session-context-api@sha256:{'0' * 64}")
    printed = deployment.make("up", fails=True)
    deployment.file.write_text(original)
    host.write_text(program)
    assert "is not ready (ImagePullBackOff)" in printed or "is not ready (ErrImagePull)" in printed
    deployment.make("up")
    deployment.pulumi(SAME)


def test_a_lost_node_fails_at_most_a_few_requests_and_loses_no_write(deployment: Deployment) -> None:
    def cut_off() -> None:
        with deployment.node_cut_off():
            pass

    assert faults(deployment, Change("node cut off", LOST_NODE_FAILURES, cut_off)) == []
    deployment.make("up")
    deployment.pulumi(SAME)
