"""A disk with no room, while the service runs and when it starts."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.processes import Service, running


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
