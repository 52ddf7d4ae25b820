"""A platform for each module's deployment, removed at its end."""

from collections.abc import Iterator

import pytest

from tests.faults.deployment import Deployment


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """The platform runs, and nothing of the stack is there yet."""
    deployment = Deployment.empty()
    yield deployment
    assert deployment.close() == []
