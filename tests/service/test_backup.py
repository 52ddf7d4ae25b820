"""Backup and restore of SQLite: a drill under load, and all that is refused."""

import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from local.debian import find_program
from tests.service.load import repeating
from tests.service.processes import Service, run_service, running
from tests.waiting import wait_for


def test_every_write_before_a_backup_survives_a_disaster(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    answered: dict[int, str] = {}

    with running(Service(tmp_path)) as service:

        def write(client: int) -> None:
            created = service.create(context=str(client)).json()
            answered[created["sessionId"]] = created["context"]

        with repeating(write):
            wait_for(lambda: len(answered) >= 200)
            before = dict(answered)
            assert run_service(tmp_path, "backup", str(file)).returncode == 0
        service.kill()
    (tmp_path / "sessions.db").write_bytes(os.urandom(20_000))  # the disaster, which leaves the WAL
    done = run_service(tmp_path, "restore", str(file))
    assert done.returncode == 0, done.stderr
    with running(Service(tmp_path)) as service:
        restored = service.contexts()
        assert before.items() <= restored.items()
        assert service.create_session() == max(restored) + 1


def test_a_backup_is_one_file_and_replaces_the_previous_one(tmp_path: Path) -> None:
    file = tmp_path / "out" / "backup.db"
    file.parent.mkdir()
    with running(Service(tmp_path)) as service:
        for _ in range(2):
            service.create(context="kept")
            assert run_service(tmp_path, "backup", str(file)).returncode == 0
    assert [each.name for each in file.parent.iterdir()] == ["backup.db"]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (2,)
    assert not list(tmp_path.glob(".sessions-*"))


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_copy_is_on_disk_before_success_is_reported(tmp_path: Path, verb: str) -> None:
    backup, calls = tmp_path / "backup.db", tmp_path / "calls"
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        run_service(tmp_path, "backup", str(backup))
    strace = [find_program("strace"), "-y", "-o", str(calls), "-e", "trace=fsync,rename,write"]
    assert run_service(tmp_path, verb, str(backup), under=strace).returncode == 0
    steps = re.findall(r"(fsync|rename|write)\((?:\d+<|\")([^>\"]+)", calls.read_text())
    [copy] = [path for call, path in steps if call == "rename"]
    *on_disk, (last, _) = steps[-4:]
    assert on_disk == [("fsync", copy), ("rename", copy), ("fsync", str(tmp_path))]
    assert last == "write"


def test_backup_and_restore_work_through_pipes(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        copied = run_service(tmp_path, "backup", "-")
    assert copied.stderr == b"sessions in the backup: 1\n"
    other = tmp_path / "other"
    other.mkdir()
    assert run_service(other, "restore", "-", stdin=copied.stdout).returncode == 0
    with running(Service(other)) as service:
        assert service.contexts() == {1: "kept"}


def test_a_restore_replaces_the_database_and_its_wal(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="old")
        run_service(tmp_path, "backup", str(file))
        service.update(1, context="new")
        service.kill()  # which leaves a WAL
    assert run_service(tmp_path, "restore", str(file)).returncode == 0
    with running(Service(tmp_path)) as service:
        assert service.contexts() == {1: "old"}


def test_a_restore_is_refused_while_a_process_serves_the_database(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        run_service(tmp_path, "backup", str(file))
        service.update(1, context="newer")
        done = run_service(tmp_path, "restore", str(file))
        assert done.returncode == 1
        assert b"a process serves" in done.stderr
        assert service.create().status_code == 201
        assert service.contexts() == {1: "newer", 2: ""}


def damage(backup: Path) -> bytes:
    content = bytearray(backup.read_bytes())
    content[4096 : 4096 * 2] = os.urandom(4096)
    return bytes(content)


@pytest.mark.parametrize(
    ("make_bad", "reason"),
    [
        (lambda _: b"no database", "not a database"),
        (lambda _: b"", "not a database of this service"),
        (lambda backup: backup.read_bytes()[:8192], "the backup"),
        (damage, "the backup"),
    ],
    ids=["no database", "empty", "cut off", "damaged"],
)
def test_an_unusable_backup_changes_nothing(tmp_path: Path, make_bad: object, reason: str) -> None:
    assert callable(make_bad)
    good, bad = tmp_path / "good.db", tmp_path / "bad.db"
    with running(Service(tmp_path)) as service:
        for number in range(50):
            service.create(context=str(number) * 1000)
        run_service(tmp_path, "backup", str(good))
    bad.write_bytes(make_bad(good))
    done = run_service(tmp_path, "restore", str(bad))
    assert done.returncode == 1
    assert reason in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    with running(Service(tmp_path)) as service:
        assert len(service.contexts()) == 50


def test_a_backup_of_a_later_release_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)):
        run_service(tmp_path, "backup", str(file))
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    assert b"later release" in run_service(tmp_path, "restore", str(file)).stderr


def test_a_backup_that_is_impossible_says_why(tmp_path: Path) -> None:
    assert b"there is no database" in run_service(tmp_path, "backup", str(tmp_path / "x")).stderr
    url = "postgresql://test@127.0.0.1/x"
    assert b"pg_dump" in run_service(tmp_path, "backup", "-", database_url=url).stderr
    with running(Service(tmp_path)):
        itself = str(tmp_path / "sessions.db")
        assert b"the database itself" in run_service(tmp_path, "backup", itself).stderr
        assert run_service(tmp_path, "backup", str(tmp_path / "no" / "folder")).returncode == 1


def test_a_damaged_database_is_not_backed_up(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        for number in range(50):
            service.create(context=str(number) * 1000)
        service.stop()
    (tmp_path / "sessions.db").write_bytes(damage(tmp_path / "sessions.db"))
    assert run_service(tmp_path, "backup", str(file)).returncode == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("call", "count"), [("fsync", 1), ("fsync", 2), ("rename", 1), ("unlink", 1), ("unlink", 2)]
)
def test_a_killed_restore_leaves_the_old_or_the_new_database(tmp_path: Path, call: str, count: int) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="old")
        run_service(tmp_path, "backup", str(file))
        service.update(1, context="new")
        service.kill()  # which leaves a WAL to merge
    strace = [find_program("strace"), "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={count}"]
    assert run_service(tmp_path, "restore", str(file), under=strace).returncode == -signal.SIGKILL
    with running(Service(tmp_path)) as service:
        assert service.contexts() in ({1: "old"}, {1: "new"})
