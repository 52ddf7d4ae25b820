"""A SQLite file that is removed, replaced or damaged while it is open."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service import sqlite
from tests.service.load import repeating
from tests.service.processes import Service, running
from tests.waiting import wait_for

_SECONDS = 3


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """Yield a service with sessions in many pages of its file."""
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


def checkpoint(service: Service, file: Path) -> None:
    """Get everything into the file itself, to which SQLite moves each thousand pages of the WAL."""
    while file.stat().st_size < 100 * 4096:
        service.create(context="x" * 100_000)


DISASTERS = [remove, remove_all, remove_wal, replace, truncate, empty, overwrite_a_page]


@pytest.mark.parametrize("disaster", DISASTERS, ids=lambda one: one.__name__)
def test_nothing_is_answered_that_a_restart_would_lose(
    filled: tuple[Service, Path], disaster: Callable[[Path], None]
) -> None:
    service, file = filled
    checkpoint(service, file)
    time.sleep(1)
    disaster(file)
    wait_for(lambda: not service.is_ready(), _SECONDS)
    assert {answer.status_code for answer in service.call_all(1)} == {503}
    assert service.request("GET", "/livez").status_code == 200
    assert service.output().count('"CRITICAL"') == 1
    assert "python -m service restore" in service.output()


def test_damage_to_an_unread_page_is_noticed_under_load(filled: tuple[Service, Path]) -> None:
    service, file = filled
    checkpoint(service, file)
    statuses: set[int] = set()
    with repeating(lambda _: statuses.add(service.create(context="x" * 1_000).status_code)):
        with file.open("r+b") as pages:
            pages.seek(file.stat().st_size // 4096 // 2 * 4096)
            pages.write(os.urandom(4096))
        wait_for(lambda: not service.is_ready(), _SECONDS)
        assert service.create().status_code == 503
    assert statuses == {201, 503}


def test_a_damaged_page_that_is_read_is_a_503(filled: tuple[Service, Path]) -> None:
    service, file = filled
    service.stop()
    with file.open("r+b") as pages:
        pages.seek(8 * 4096)
        pages.write(os.urandom(file.stat().st_size - 9 * 4096))
    with running(Service(file.parent)) as started:  # which reads none of it
        statuses = [started.context(session_id).status_code for session_id in range(1, 51)]
        assert statuses[-1] == 503
        assert set(statuses) <= {200, 503}
        assert not started.is_ready()


def test_no_replica_answers_after_the_file_is_removed(filled: tuple[Service, Path]) -> None:
    service, file = filled
    with running(Service(file.parent)) as other:
        remove_all(file)
        for each in (service, other):
            assert each.create().status_code == 503
            assert not each.is_ready()
            assert {answer.status_code for answer in each.call_all(1)} == {503}


@pytest.mark.parametrize("disaster", [remove, empty])
def test_a_start_is_refused_if_only_the_wal_is_left(
    filled: tuple[Service, Path], disaster: Callable[[Path], None]
) -> None:
    service, file = filled
    service.kill()
    disaster(file)
    with pytest.raises(AssertionError, match=r"is missing, but .*-wal is there"):
        Service(file.parent)
    assert file.with_name(f"{file.name}-wal").stat().st_size > 0


def test_no_write_succeeds_after_the_file_is_removed(filled: tuple[Service, Path]) -> None:
    service, file = filled
    remove(file)
    assert service.create().status_code == 503


def test_the_wal_shrinks_after_another_program_has_read_for_long(tmp_path: Path) -> None:
    wal = tmp_path / "sessions.db-wal"
    with running(Service(tmp_path)) as service:
        service.create()
        with sqlite.connect(tmp_path) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sessions").fetchall()  # keeps the WAL from being reused
            while wal.stat().st_size < 32 * 1024 * 1024:
                service.create(context="x" * 1024 * 1024)
        wait_for(lambda: service.create().status_code == 201 and wal.stat().st_size <= 16 * 1024 * 1024)
