"""Two short random sequences; `make faults` runs long ones."""

from tests.faults.deployment import Deployment
from tests.faults.sequences import run


def test_random_sequences_end_in_the_declared_state(deployment: Deployment) -> None:
    run(deployment, sequences=2, steps=4, derandomize=True)
