"""A SQLite file that is removed, replaced or damaged while it is open, and a disk that is full."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.processes import Service, running

_SECONDS = 3


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """A service with sessions in many pages of its file."""
    with running(Service(tmp_path)) as service:
        for number in range(50):
            service.create(context=str(number) * 2_000)
        yield service, tmp_path / "sessions.db"


def remove(file: Path) -> None:
    file.unlink()


def remove_all(file: Path) -> None:
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


def remove_wal(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def replace(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)


def truncate(file: Path) -> None:
    os.truncate(file, 4096)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def overwrite_a_page(file: Path) -> None:
    with file.open("r+b") as pages:
        pages.seek(4096 * 3)
        pages.write(os.urandom(4096))


def checkpointed(service: Service, file: Path) -> None:
    """Have everything in the file itself: SQLite writes it there after a thousand pages of the WAL."""
    while file.stat().st_size < 100 * 4096:
        service.create(context="x" * 100_000)


DISASTERS = [remove, remove_all, remove_wal, replace, truncate, empty, overwrite_a_page]


@pytest.mark.parametrize("disaster", DISASTERS, ids=lambda one: one.__name__)
def test_nothing_is_answered_that_a_restart_would_not_find(
    filled: tuple[Service, Path], disaster: Callable[[Path], None]
) -> None:
    service, file = filled
    checkpointed(service, file)
    time.sleep(1)
    disaster(file)
    give_up = time.monotonic() + _SECONDS
    while service.request("GET", "/readyz").status_code != 503:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    for answer in (
        service.create(),
        service.update(1, context="lost"),
        service.context(1),
        service.request("GET", "/sessions"),
        service.request("DELETE", "/sessions/1"),
    ):
        assert answer.status_code == 503
    assert service.request("GET", "/livez").status_code == 200
    assert service.printed().count('"CRITICAL"') == 1
    assert "python -m service restore" in service.printed()


def test_a_write_after_the_file_is_gone_is_never_answered_as_done(filled: tuple[Service, Path]) -> None:
    service, file = filled
    remove(file)
    assert service.create().status_code == 503


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    file = folder / "ballast"
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError:
            return file
    raise AssertionError("the disk has no end")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_reads_go_on_while_the_disk_is_full(small_disk: Path) -> None:
    with running(Service(small_disk)) as service:
        session_id = service.create(context="kept").json()["sessionId"]
        ballast = fill(small_disk)
        statuses = [service.create(context="x" * 10_000).status_code for _ in range(5)]
        assert statuses[-1] == 503
        assert service.context(session_id).json()["context"] == "kept"
        ready = service.request("GET", "/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, "disk full: writes are refused")
        ballast.unlink()
        assert service.create().status_code == 201
        assert service.request("GET", "/readyz").json()["database"] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_start_on_a_full_disk_serves_reads(small_disk: Path, is_killed: bool) -> None:
    with running(Service(small_disk)) as service:
        session_id = service.create(context="kept").json()["sessionId"]
        if not is_killed:
            service.send(signal.SIGTERM)
            service.wait()
    fill(small_disk)
    with running(Service(small_disk)) as service:
        assert service.context(session_id).json()["context"] == "kept"
        assert len(service.list()) == 1
        assert service.create(context="x" * 10_000).status_code == 503
        ready = service.request("GET", "/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, "disk full: writes are refused")
