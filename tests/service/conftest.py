"""A service, and a peer, for each test that asks for one; each service on both databases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.postgresql import Postgresql
from tests.service.processes import Peer, Service, running

NewDatabase = Callable[[Path], str]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A server for all tests; who stops it starts it again."""
    server = Postgresql()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_server() -> Iterator[Postgresql]:
    """A server of one test, which may change and stop it."""
    server = Postgresql()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Gives the URL of an empty database; one that is a file is in the folder."""
    if request.param == "sqlite":
        return lambda folder: f"sqlite:///{folder}/sessions.db"
    server: Postgresql = request.getfixturevalue("postgresql")
    return lambda _: server.new_database()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """A peer for the tests of one module; each says how it behaves."""
    with running(Peer()) as process:
        yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Service]:
    """A service for all tests of one module, so none of them counts its sessions."""
    folder = tmp_path_factory.mktemp("data")
    with running(Service(folder, database_url=new_database(folder))) as process:
        yield process


@pytest.fixture
def fresh(tmp_path: Path, new_database: NewDatabase) -> Iterator[Service]:
    """A service that has no session yet."""
    with running(Service(tmp_path, database_url=new_database(tmp_path))) as process:
        yield process
