"""Fixtures: a service on each of both databases, and a peer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.postgresql import Postgresql
from tests.service.processes import Peer, Service, running

NewDatabase = Callable[[Path], str]


def run_server() -> Iterator[Postgresql]:
    server = Postgresql()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Run a server for all tests. A test that stops it has to start it again."""
    yield from run_server()


@pytest.fixture
def own_server() -> Iterator[Postgresql]:
    """Run a server for one test, which may reconfigure and stop it."""
    yield from run_server()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Return a function that creates an empty database, a file in the given folder, and returns its URL."""
    if request.param == "sqlite":
        return lambda folder: f"sqlite:///{folder}/sessions.db"
    server: Postgresql = request.getfixturevalue("postgresql")
    return lambda _: server.new_database()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """Yield a peer for the tests of a module; each test sets its behavior."""
    with running(Peer()) as process:
        yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Service]:
    """Yield a service for all tests of a module, so no test may count its sessions."""
    folder = tmp_path_factory.mktemp("data")
    with running(Service(folder, database_url=new_database(folder))) as process:
        yield process


@pytest.fixture
def fresh(tmp_path: Path, new_database: NewDatabase) -> Iterator[Service]:
    """Yield a service without sessions."""
    with running(Service(tmp_path, database_url=new_database(tmp_path))) as process:
        yield process
