"""Copies from SQLite to PostgreSQL, and back."""

import sys
from pathlib import Path

import psycopg
import pytest

from tests.service import sqlite
from tests.service.postgresql import Postgresql
from tests.service.processes import Done, Service, run_service, running


def fill(service: Service) -> None:
    for number in range(250):
        service.create(user_id=number, context=f"{number} é 🙂 " * 50)
    service.create(context="keyed", key="kept")
    service.update(2, context="changed")
    service.request("DELETE", "/sessions/251")  # the highest id of all, which is never used again


def copy(folder: Path, source: str, target: str) -> Done:
    return run_service(folder, "copy", "--to", target, database_url=source)


def test_everything_is_copied_to_postgresql_and_back(tmp_path: Path, postgresql: Postgresql) -> None:
    first, last = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/last.db"
    there = postgresql.new_database()
    with running(Service(tmp_path, database_url=first)) as service:
        fill(service)
        everything, version = service.list(), service.context(2).headers["ETag"]
    for source, target in [(first, there), (there, last)]:
        done = copy(tmp_path, source, target)
        assert done.returncode == 0, done.stderr
        assert b"250 rows of sessions" in done.stderr
        with running(Service(tmp_path, database_url=target)) as service:
            assert service.list() == everything
            assert service.context(2).headers["ETag"] == version
            assert service.create_session(context="keyed", key="kept") == 251
    with running(Service(tmp_path, database_url=last)) as service:
        assert service.create_session() == 252


def test_a_target_that_is_not_empty_is_left_unchanged(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    for url in urls:
        with running(Service(tmp_path, database_url=url)) as service:
            service.create(context=url)
    done = copy(tmp_path, *urls)
    assert (done.returncode, b"name an empty database" in done.stderr) == (1, True)
    with running(Service(tmp_path, database_url=urls[1])) as service:
        assert [session["context"] for session in service.list()] == [urls[1]]


def test_a_failed_copy_leaves_nothing_and_can_be_repeated(tmp_path: Path, postgresql: Postgresql) -> None:
    source, target = f"sqlite:///{tmp_path}/sessions.db", postgresql.new_database()
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
    name = target.rpartition("/")[2]
    with running(Service(tmp_path, database_url=target)):
        pass
    postgresql.execute(name, "ALTER TABLE sessions ADD CONSTRAINT none CHECK (context <> 'kept')")
    assert copy(tmp_path, source, target).returncode == 1
    postgresql.execute(name, "ALTER TABLE sessions DROP CONSTRAINT none")
    assert copy(tmp_path, source, target).returncode == 0


def test_a_copy_that_differs_is_rolled_back(tmp_path: Path, postgresql: Postgresql) -> None:
    source, target = f"sqlite:///{tmp_path}/sessions.db", postgresql.new_database()
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
    with running(Service(tmp_path, database_url=target)):
        pass
    postgresql.execute(
        target.rpartition("/")[2],
        "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.context = 'changed'; RETURN NEW; END $$;"
        "CREATE TRIGGER change BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION change()",
    )
    done = copy(tmp_path, source, target)
    assert (done.returncode, b"sessions differs after the copy" in done.stderr) == (1, True)
    with running(Service(tmp_path, database_url=target)) as service:
        assert service.list() == []


# Runs a command and prints its memory at most. A child of pytest itself would begin with the memory of pytest.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_a_copy_uses_little_memory(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    with running(Service(tmp_path)):
        pass
    sqlite.fill(tmp_path, sessions=200, context="x" * 1_000_000)
    done = run_service(tmp_path, "copy", "--to", target, under=[sys.executable, "-c", MEASURE])
    assert done.returncode == 0
    assert int(done.stdout) < 160_000  # KiB, of which the service itself takes 70,000 and a batch the rest


@pytest.mark.parametrize(
    "forget", ["DELETE FROM allotted", "UPDATE allotted SET last_session_id = 0, last_sequence_number = 0"]
)
def test_lost_counters_are_restored_at_start(tmp_path: Path, postgresql: Postgresql, forget: str) -> None:
    url = postgresql.new_database()
    for database_url in (f"sqlite:///{tmp_path}/sessions.db", url):
        with running(Service(tmp_path, database_url=database_url)) as service:
            fill(service)
    sqlite.query(tmp_path, forget)
    with psycopg.connect(url) as connection:
        connection.execute(forget.encode())
    for database_url in (f"sqlite:///{tmp_path}/sessions.db", url):
        with running(Service(tmp_path, database_url=database_url)) as service:
            assert service.create_session() == 252
