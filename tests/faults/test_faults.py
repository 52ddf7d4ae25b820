"""A few cells and two short sequences, one after the other on one deployment; `make faults` runs many more."""

from tests.faults.cells import CELLS, converge
from tests.faults.deployment import DESTROY, Deployment
from tests.faults.sequences import run


def test_a_container_whose_create_got_no_answer_is_not_left_behind(deployment: Deployment) -> None:
    deployment.make("up")
    deployment.change_service()
    converge(deployment, CELLS["container create: fails after its effect"].break_up(deployment))


def test_a_change_whose_plugin_was_killed_is_resumed(deployment: Deployment) -> None:
    deployment.make("up")
    deployment.change_service()
    converge(deployment, CELLS["old target removal: plugin killed"].break_up(deployment))


def test_random_sequences_end_in_the_declared_state(deployment: Deployment) -> None:
    deployment.make("up")
    run(deployment, sequences=2, steps=3, derandomize=True)


def test_down_leaves_nothing_of_a_first_run_whose_engine_was_killed(deployment: Deployment) -> None:
    deployment.make("up")
    deployment.pulumi(f"{DESTROY} --stack {deployment.stack}")
    CELLS["Kong service: engine killed"].break_up(deployment)
    deployment.make("down")
    assert deployment.left_behind() == []
    assert deployment.plugins() == []
