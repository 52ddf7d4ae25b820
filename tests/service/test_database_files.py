"""A SQLite file that is removed, replaced or damaged while it is open, and a disk that is full."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.service.processes import Service, running
from tests.waiting import wait_for

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
    wait_for(lambda: service.request("GET", "/readyz").status_code == 503, _SECONDS)
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


def test_garbage_in_what_nobody_reads_is_noticed_under_load(filled: tuple[Service, Path]) -> None:
    service, file = filled
    checkpointed(service, file)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            requests.post(f"{service.url}/sessions", json={"userId": 1, "context": "x" * 1_000}, timeout=10)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        with file.open("r+b") as pages:
            pages.seek(file.stat().st_size // 4096 // 2 * 4096)
            pages.write(os.urandom(4096))
        wait_for(lambda: service.request("GET", "/readyz").status_code == 503, _SECONDS)
        assert service.create().status_code == 503
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_a_write_after_the_file_is_gone_is_never_answered_as_done(filled: tuple[Service, Path]) -> None:
    service, file = filled
    remove(file)
    assert service.create().status_code == 503


class SmallDisk:
    """A disk of 2 MB at `folder`, which only commands that begin with `under` see: so anybody can mount it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mount = f"mount -t tmpfs -o size=2m tmpfs '{folder}' && echo mounted && exec sleep infinity"
        self._mounted = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self._mounted.stdout.readline() if self._mounted.stdout else ""
        assert said == "mounted\n", f"a disk can't be mounted: {said}"
        process_id = str(self._mounted.pid)
        self.under = ["nsenter", "--target", process_id, "--user", "--mount", "--wd", "--preserve-credentials"]
        self.seen = Path(f"/proc/{process_id}/root{folder}")
        """The folder as this process sees it."""

    def service(self) -> Service:
        return Service(self.folder, "service", self.under)

    def fill(self) -> None:
        with (self.seen / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 4096):
                    pass
            except OSError:
                return
        raise AssertionError("the disk has no end")

    def make_room(self) -> None:
        (self.seen / "ballast").unlink()

    def remove(self) -> None:
        with self._mounted as process:
            process.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path)
    try:
        yield disk
    finally:
        disk.remove()


def test_reads_go_on_while_the_disk_is_full(small_disk: SmallDisk) -> None:
    with running(small_disk.service()) as service:
        session_id = service.create(context="kept").json()["sessionId"]
        small_disk.fill()
        statuses = [service.create(context="x" * 10_000).status_code for _ in range(5)]
        assert statuses[-1] == 503
        assert service.context(session_id).json()["context"] == "kept"
        ready = service.request("GET", "/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, "disk full: writes are refused")
        small_disk.make_room()
        assert service.create().status_code == 201
        assert service.request("GET", "/readyz").json()["database"] == "ok"


def stop(service: Service, _: Path) -> None:
    service.send(signal.SIGTERM)
    service.wait()


def kill(service: Service, _: Path) -> None:
    service.kill()


def kill_and_forget_the_index(service: Service, folder: Path) -> None:
    """As after a copy of the database and its WAL, by hand."""
    service.kill()
    (folder / "sessions.db-shm").unlink()


@pytest.mark.parametrize(("end", "is_read_only"), [(stop, True), (kill, False), (kill_and_forget_the_index, True)])
def test_a_start_on_a_full_disk_serves_reads(
    small_disk: SmallDisk, end: Callable[[Service, Path], None], is_read_only: bool
) -> None:
    with running(small_disk.service()) as service:
        session_id = service.create(context="kept").json()["sessionId"]
        end(service, small_disk.seen)
    small_disk.fill()
    with running(small_disk.service()) as service:
        assert service.context(session_id).json()["context"] == "kept"
        assert len(service.list()) == 1
        assert service.create(context="x" * 10_000).status_code == 503
        ready = service.request("GET", "/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, "disk full: writes are refused")
        small_disk.make_room()
        if is_read_only:
            service.wait()  # only a start opens the files for writes
        else:
            assert service.create().status_code == 201
    with running(small_disk.service()) as service:
        assert service.context(session_id).json()["context"] == "kept"
        assert service.create().status_code == 201
