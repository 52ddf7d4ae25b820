"""A service, and a peer, for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.processes import Peer, Service, running


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """A peer for the tests of one module; each says how it behaves."""
    with running(Peer()) as process:
        yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests of one module, so none of them counts its sessions."""
    with running(Service(tmp_path_factory.mktemp("data"))) as process:
        yield process


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A service that has no session yet."""
    with running(Service(tmp_path)) as process:
        yield process
