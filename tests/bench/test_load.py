"""A run with wrong responses has no figure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.load import measure
from bench.results import Case
from bench.subjects import BARE, SERVICE, Database, RunningSubject, WrongResponseError, probe
from local.debian import find_program

CREATE = Case(workload="create", connections=8)
Start = Callable[..., RunningSubject]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'sessions.db'}")


@pytest.fixture
def start(database: Database) -> Iterator[Start]:
    find_program("wrk")
    started = []

    def start(module: str, **environment: str) -> RunningSubject:
        started.append(RunningSubject(module, DATABASE_URL=database.url, **environment))
        return started[-1]

    yield start
    for running in started:
        running.kill()


def test_answered_creates_are_found_in_the_database(start: Start, database: Database) -> None:
    sample = measure(CREATE, start(SERVICE), database, 1)
    assert 0 < sample.rate <= database.count()
    assert 0 < sample.cpu_us < 1e6
    assert sample.median_ms <= sample.p99_ms


def test_creates_that_leave_no_session_have_no_figure(start: Start, database: Database, tmp_path: Path) -> None:
    probe("create", start(SERVICE).ports[0])  # makes the tables
    (tmp_path / "responses.json").write_text('{"create": {"status": 201, "headers": [], "body": "{}"}}')
    with pytest.raises(WrongResponseError, match="the database has 0 sessions"):
        measure(CREATE, start(BARE, RESPONSES=str(tmp_path / "responses.json")), database, 1)


def test_refused_requests_have_no_figure(start: Start, database: Database) -> None:
    with pytest.raises(WrongResponseError, match="requests failed"):
        measure(CREATE, start(SERVICE, MAX_REQUESTS="1"), database, 1)


def test_another_status_has_no_figure(start: Start, database: Database) -> None:
    service = start(SERVICE)
    with pytest.raises(WrongResponseError, match="404 instead of 304"):
        measure(Case(workload="not modified"), service, database, 1)


def test_the_whole_list_is_received(start: Start, database: Database) -> None:
    service = start(SERVICE)
    probe("create", service.ports[0])
    listed = Case(workload="list", connections=1)
    assert measure(listed, service, database, 1).rate > 0
