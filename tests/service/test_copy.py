"""A copy from one kind of database to the other, and back."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running, service_environment
from tests.service.test_backup import Done, maintain

KEY = {"Idempotency-Key": "kept"}


def fill(service: Service) -> None:
    for number in range(250):
        service.create(user_id=number, context=f"{number} é 🙂 " * 50)
    service.request("POST", "/sessions", json={"userId": 1, "context": "keyed"}, headers=KEY)
    service.update(2, context="changed")
    service.request("DELETE", "/sessions/251")  # the highest id of all, which is never used again


def copy(folder: Path, source: str, goal: str) -> Done:
    return maintain(folder, "copy", "--to", goal, database_url=source)


def test_everything_goes_along_to_postgresql_and_back(tmp_path: Path, postgresql: Postgresql) -> None:
    first, last = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/last.db"
    there = postgresql.new_database()
    with running(Service(tmp_path, database_url=first)) as service:
        fill(service)
        everything, version = service.list(), service.context(2).headers["ETag"]
    for source, goal in [(first, there), (there, last)]:
        done = copy(tmp_path, source, goal)
        assert done.returncode == 0, done.stderr
        assert b"250 rows of sessions" in done.stderr
        with running(Service(tmp_path, database_url=goal)) as service:
            assert service.list() == everything
            assert service.context(2).headers["ETag"] == version
            again = service.request("POST", "/sessions", json={"userId": 1, "context": "keyed"}, headers=KEY)
            assert again.json()["sessionId"] == 251
    with running(Service(tmp_path, database_url=last)) as service:
        assert service.create().json()["sessionId"] == 252


def test_a_database_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    for url in urls:
        with running(Service(tmp_path, database_url=url)) as service:
            service.create(context=url)
    done = copy(tmp_path, *urls)
    assert (done.returncode, b"name an empty database" in done.stderr) == (1, True)
    with running(Service(tmp_path, database_url=urls[1])) as service:
        assert [session["context"] for session in service.list()] == [urls[1]]


def test_a_copy_that_fails_leaves_nothing_and_may_be_tried_again(tmp_path: Path, postgresql: Postgresql) -> None:
    source, goal = f"sqlite:///{tmp_path}/sessions.db", postgresql.new_database()
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
    name = goal.rpartition("/")[2]
    with running(Service(tmp_path, database_url=goal)):
        pass
    postgresql.execute(name, "ALTER TABLE sessions ADD CONSTRAINT none CHECK (context <> 'kept')")
    assert copy(tmp_path, source, goal).returncode == 1
    postgresql.execute(name, "ALTER TABLE sessions DROP CONSTRAINT none")
    assert copy(tmp_path, source, goal).returncode == 0


def test_a_copy_that_differs_is_not_kept(tmp_path: Path, postgresql: Postgresql) -> None:
    source, goal = f"sqlite:///{tmp_path}/sessions.db", postgresql.new_database()
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
    with running(Service(tmp_path, database_url=goal)):
        pass
    postgresql.execute(
        goal.rpartition("/")[2],
        "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.context = 'changed'; RETURN NEW; END $$;"
        "CREATE TRIGGER change BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION change()",
    )
    done = copy(tmp_path, source, goal)
    assert (done.returncode, b"sessions differs after the copy" in done.stderr) == (1, True)
    with running(Service(tmp_path, database_url=goal)) as service:
        assert service.list() == []


def test_a_copy_does_not_hold_what_it_copies(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    with running(Service(tmp_path, database_url=urls[0])):
        pass
    with closing(sqlite3.connect(tmp_path / "one.db")) as db, db:
        row = "INSERT INTO sessions (id, user_id, context, sequence_number) VALUES (?, 1, ?, ?)"
        db.executemany(row, ((number, "x" * 1_000_000, number) for number in range(1, 201)))
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "copy", "--to", urls[1]],
        cwd=Path(__file__).parents[2],
        env=service_environment(tmp_path, database_url=urls[0]),
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert used.ru_maxrss < 160_000  # KiB, of which the service itself takes 70,000 and a batch the rest


@pytest.mark.parametrize(
    "forget", ["DELETE FROM allotted", "UPDATE allotted SET last_session_id = 0, last_sequence_number = 0"]
)
def test_a_counter_that_was_forgotten_is_put_right_at_start(
    tmp_path: Path, postgresql: Postgresql, forget: str
) -> None:
    url = postgresql.new_database()
    for database_url in (f"sqlite:///{tmp_path}/sessions.db", url):
        with running(Service(tmp_path, database_url=database_url)) as service:
            fill(service)
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as db:
        db.execute(forget)
    with psycopg.connect(url) as connection:
        connection.execute(forget.encode())
    for database_url in (f"sqlite:///{tmp_path}/sessions.db", url):
        with running(Service(tmp_path, database_url=database_url)) as service:
            assert service.create().json()["sessionId"] == 252
