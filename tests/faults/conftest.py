"""A platform for each module's deployment, removed at its end."""

from collections.abc import Iterator

import pytest

from tests.faults.deployment import Deployment


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Yield a deployment whose platform runs, with an empty stack."""
    deployment = Deployment.empty()
    yield deployment
    assert deployment.close() == []
