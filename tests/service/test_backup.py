"""Backup and restore: a drill under load, and everything that is refused."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import requests

from local.debian import find_program
from tests.service.processes import Service, running, service_environment

_ROOT = Path(__file__).parents[2]


def maintain(folder: Path, *arguments: str, given: bytes | None = None, **settings: object) -> "Done":
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=_ROOT,
        env=service_environment(folder, **settings),
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
    )


Done = subprocess.CompletedProcess[bytes]


def contexts(service: Service) -> dict[int, str]:
    return {session["sessionId"]: session["context"] for session in service.list()}


def test_every_write_answered_before_a_backup_is_there_after_a_disaster(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    answered: dict[int, str] = {}
    stop = threading.Event()

    def write(service: Service) -> None:
        with requests.Session() as http:
            while not stop.is_set():
                body = {"userId": 1, "context": str(len(answered))}
                made = http.post(f"{service.url}/sessions", json=body, timeout=10).json()
                answered[made["sessionId"]] = made["context"]

    with running(Service(tmp_path)) as service:
        writers = [threading.Thread(target=write, args=[service]) for _ in range(4)]
        for writer in writers:
            writer.start()
        while len(answered) < 200:
            pass
        before = dict(answered)
        assert maintain(tmp_path, "backup", str(file)).returncode == 0
        stop.set()
        for writer in writers:
            writer.join()
        service.send(signal.SIGKILL)
        service.wait()
    (tmp_path / "sessions.db").write_bytes(os.urandom(20_000))  # the disaster, beside a WAL that is left
    done = maintain(tmp_path, "restore", str(file))
    assert done.returncode == 0, done.stderr
    with running(Service(tmp_path)) as service:
        restored = contexts(service)
        assert before.items() <= restored.items()
        assert service.create().json()["sessionId"] == max(restored) + 1


def test_a_backup_is_one_whole_file_and_replaces_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "out" / "backup.db"
    file.parent.mkdir()
    with running(Service(tmp_path)) as service:
        for _ in range(2):
            service.create(context="kept")
            assert maintain(tmp_path, "backup", str(file)).returncode == 0
    assert [each.name for each in file.parent.iterdir()] == ["backup.db"]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (2,)
    assert not list(tmp_path.glob(".sessions-*"))


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_it_is_on_disk_before_it_is_called_done(tmp_path: Path, verb: str) -> None:
    backup, calls = tmp_path / "backup.db", tmp_path / "calls"
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        maintain(tmp_path, "backup", str(backup))
    strace = [find_program("strace"), "-y", "-o", str(calls), "-e", "trace=fsync,rename,write"]
    subprocess.run(
        [*strace, sys.executable, "-m", "service", verb, str(backup)],
        cwd=_ROOT,
        env=service_environment(tmp_path),
        capture_output=True,
        check=True,
        timeout=60,
    )
    steps = re.findall(r"(fsync|rename|write)\((?:\d+<|\")([^>\"]+)", calls.read_text())
    [copy] = [path for call, path in steps if call == "rename"]
    *on_disk, (said, _) = steps[-4:]
    assert on_disk == [("fsync", copy), ("rename", copy), ("fsync", str(tmp_path))]
    assert said == "write"


def test_a_backup_and_a_restore_go_through_pipes(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        copied = maintain(tmp_path, "backup", "-")
    assert copied.stderr == b"sessions in the backup: 1\n"
    other = tmp_path / "other"
    other.mkdir()
    assert maintain(other, "restore", "-", given=copied.stdout).returncode == 0
    with running(Service(other)) as service:
        assert contexts(service) == {1: "kept"}


def test_a_restore_leaves_nothing_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="old")
        maintain(tmp_path, "backup", str(file))
        service.update(1, context="new")
        service.send(signal.SIGKILL)  # so that a WAL is left
        service.wait()
    assert maintain(tmp_path, "restore", str(file)).returncode == 0
    with running(Service(tmp_path)) as service:
        assert contexts(service) == {1: "old"}


def test_a_restore_is_refused_while_a_process_serves_the_database(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="kept")
        maintain(tmp_path, "backup", str(file))
        service.update(1, context="newer")
        done = maintain(tmp_path, "restore", str(file))
        assert done.returncode == 1
        assert b"a process serves" in done.stderr
        assert service.create().status_code == 201
        assert contexts(service) == {1: "newer", 2: ""}


def damaged(backup: Path) -> bytes:
    content = bytearray(backup.read_bytes())
    content[4096 : 4096 * 2] = os.urandom(4096)
    return bytes(content)


@pytest.mark.parametrize(
    ("make_bad", "reason"),
    [
        (lambda _: b"no database", "not a database"),
        (lambda _: b"", "not a database of this service"),
        (lambda backup: backup.read_bytes()[:8192], "the backup"),
        (damaged, "the backup"),
    ],
    ids=["no database", "empty", "cut off", "damaged"],
)
def test_a_backup_that_is_not_good_changes_nothing(tmp_path: Path, make_bad: object, reason: str) -> None:
    assert callable(make_bad)
    good, bad = tmp_path / "good.db", tmp_path / "bad.db"
    with running(Service(tmp_path)) as service:
        for number in range(50):
            service.create(context=str(number) * 1000)
        maintain(tmp_path, "backup", str(good))
    bad.write_bytes(make_bad(good))
    done = maintain(tmp_path, "restore", str(bad))
    assert done.returncode == 1
    assert reason in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    with running(Service(tmp_path)) as service:
        assert len(contexts(service)) == 50


def test_a_backup_of_a_later_release_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)):
        maintain(tmp_path, "backup", str(file))
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    assert b"later release" in maintain(tmp_path, "restore", str(file)).stderr


def test_what_can_not_be_backed_up_says_why(tmp_path: Path) -> None:
    assert b"there is no database" in maintain(tmp_path, "backup", str(tmp_path / "x")).stderr
    url = "postgresql://test@127.0.0.1/x"
    assert b"pg_dump" in maintain(tmp_path, "backup", "-", database_url=url).stderr
    with running(Service(tmp_path)):
        itself = str(tmp_path / "sessions.db")
        assert b"the database itself" in maintain(tmp_path, "backup", itself).stderr
        assert maintain(tmp_path, "backup", str(tmp_path / "no" / "folder")).returncode == 1


def test_a_database_that_is_damaged_gives_no_backup(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        for number in range(50):
            service.create(context=str(number) * 1000)
        service.send(signal.SIGTERM)
        service.wait()
    (tmp_path / "sessions.db").write_bytes(damaged(tmp_path / "sessions.db"))
    assert maintain(tmp_path, "backup", str(file)).returncode == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("call", "count"), [("fsync", 1), ("fsync", 2), ("rename", 1), ("unlink", 1), ("unlink", 2)]
)
def test_a_restore_that_is_killed_leaves_the_old_or_the_new(tmp_path: Path, call: str, count: int) -> None:
    file = tmp_path / "backup.db"
    with running(Service(tmp_path)) as service:
        service.create(context="old")
        maintain(tmp_path, "backup", str(file))
        service.update(1, context="new")
        service.send(signal.SIGKILL)  # so that there is a WAL to be taken in
        service.wait()
    command = [find_program("strace"), "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={count}"]
    killed = subprocess.run(
        [*command, sys.executable, "-m", "service", "restore", str(file)],
        cwd=_ROOT,
        env=service_environment(tmp_path),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    with running(Service(tmp_path)) as service:
        assert contexts(service) in ({1: "old"}, {1: "new"})
