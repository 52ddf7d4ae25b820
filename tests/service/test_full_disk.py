"""A full disk, while the service runs and when it starts."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.processes import Service, running
from tests.waiting import wait_for


class SmallDisk:
    """A disk of 2 MB at `folder`. Only commands under `under` see it, so mounting needs no root."""

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
        line = self._mounted.stdout.readline() if self._mounted.stdout else ""
        assert line == "mounted\n", f"can't mount a disk: {line}"
        process_id = str(self._mounted.pid)
        self.under = ["nsenter", "--target", process_id, "--user", "--mount", "--wd", "--preserve-credentials"]
        self.seen = Path(f"/proc/{process_id}/root{folder}")
        """Path of the folder in this process."""

    def service(self, **settings: object) -> Service:
        return Service(self.folder, "service", self.under, **settings)

    def fill(self) -> None:
        with (self.seen / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 4096):
                    pass
            except OSError:
                return
        raise AssertionError("the disk is never full")

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


def test_reads_continue_while_the_disk_is_full(small_disk: SmallDisk) -> None:
    with running(small_disk.service()) as service:
        session_id = service.create_session(context="kept")
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
    service.stop()


def kill(service: Service, _: Path) -> None:
    service.kill()


def kill_and_remove_the_index(service: Service, folder: Path) -> None:
    """Leave what a manual copy of the database and its WAL would have."""
    service.kill()
    (folder / "sessions.db-shm").unlink()


@pytest.mark.parametrize(("end", "is_read_only"), [(stop, True), (kill, False), (kill_and_remove_the_index, True)])
def test_a_start_on_a_full_disk_serves_reads(
    small_disk: SmallDisk, end: Callable[[Service, Path], None], is_read_only: bool
) -> None:
    with running(small_disk.service()) as service:
        session_id = service.create_session(context="kept")
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
            service.wait()  # since only a start opens the files for writing
        else:
            assert service.create().status_code == 201
    with running(small_disk.service()) as service:
        assert service.context(session_id).json()["context"] == "kept"
        assert service.create().status_code == 201


def test_a_single_worker_starts_on_a_full_disk(small_disk: SmallDisk) -> None:
    with running(small_disk.service()) as service:
        session_id = service.create_session(context="kept")
        service.stop()
    small_disk.fill()
    with running(small_disk.service(web_concurrency=2)) as service:
        wait_for(service.is_ready)
        assert service.context(session_id).json()["context"] == "kept"
        assert service.create(context="x" * 10_000).status_code == 503
        small_disk.make_room()
        wait_for(lambda: service.create().status_code == 201)
