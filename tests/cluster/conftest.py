"""A clone with a cluster of its own on this machine, brought up once and removed at the end."""

from collections.abc import Iterator

import pytest

from tests.cluster.deployment import Deployment, traces


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Deploy a stack, which each test leaves converged. Afterwards nothing of it is on this machine."""
    deployment = Deployment(tmp_path_factory.mktemp("clone"))
    try:
        deployment.make_cluster()
        deployment.make("up")
        yield deployment
    finally:
        deployment.make("down")
        deployment.make("cluster-down")
        assert traces() == []
