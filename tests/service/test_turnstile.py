"""Processes that write to one SQLite file take turns, and none depends on another to do so."""

import fcntl
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from local.debian import find_program
from service.turnstile import Turnstile
from tests.service.processes import Service, running
from tests.waiting import wait_for

HOLD = """
import sys, time
from pathlib import Path
from service.turnstile import Turnstile
with Turnstile(Path(sys.argv[1])).turn():
    print("in turn", flush=True)
    time.sleep(60)
"""


def is_locked(file: Path) -> bool:
    with file.open() as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def held_by_a_process(database: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([sys.executable, "-c", HOLD, database], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in turn\n"
        yield process
        process.kill()


def test_a_process_that_has_just_written_is_behind_those_that_wait(tmp_path: Path) -> None:
    database = tmp_path / "sessions.db"
    order = []
    with closing(Turnstile(database)) as first, closing(Turnstile(database)) as second:

        def write_as_second() -> None:
            with second.turn():
                order.append("second")

        waiting = threading.Thread(target=write_as_second)
        with first.turn():
            waiting.start()
            wait_for(lambda: is_locked(tmp_path / "sessions.db-queue"))
            order.append("first")
        with first.turn():
            order.append("first")
        waiting.join()
    assert order == ["first", "second", "first"]


def test_who_finds_the_turn_taken_keeps_its_place_in_the_queue(tmp_path: Path) -> None:
    queue = tmp_path / "sessions.db-queue"
    with (
        closing(Turnstile(tmp_path / "sessions.db")) as first,
        closing(Turnstile(tmp_path / "sessions.db")) as second,
    ):

        def take_a_turn() -> None:
            with second.turn():
                pass

        for _ in range(100):
            waiting = threading.Thread(target=take_a_turn)
            with first.turn():
                waiting.start()
                while not is_locked(queue):
                    pass
                assert all(is_locked(queue) for _ in range(20))
            waiting.join()


def test_the_lock_of_a_killed_process_costs_nothing(tmp_path: Path) -> None:
    database = tmp_path / "sessions.db"
    with held_by_a_process(database) as process:
        assert is_locked(tmp_path / "sessions.db-turn")
        process.kill()
        process.wait()
        with closing(Turnstile(database)) as turnstile, turnstile.turn():
            assert is_locked(tmp_path / "sessions.db-turn")


@pytest.mark.parametrize("file", ["sessions.db-turn", "sessions.db-queue"])
def test_writes_do_not_wait_for_a_process_that_hangs(tmp_path: Path, file: str) -> None:
    with running(Service(tmp_path)) as service, (tmp_path / file).open() as hanging:
        fcntl.flock(hanging, fcntl.LOCK_EX)
        assert {service.create().status_code for _ in range(10)} == {201}
        fcntl.flock(hanging, fcntl.LOCK_UN)
        assert {service.create().status_code for _ in range(10)} == {201}
        assert not is_locked(tmp_path / "sessions.db-turn")


def test_writes_after_a_process_that_hung_have_turns_again(tmp_path: Path) -> None:
    database = tmp_path / "sessions.db"
    with held_by_a_process(database) as process, closing(Turnstile(database)) as turnstile:

        def has_turn() -> bool:
            with turnstile.turn():
                return is_locked(tmp_path / "sessions.db-turn")

        process.send_signal(signal.SIGSTOP)
        with turnstile.turn():
            pass  # without having it
        process.kill()
        process.wait()
        # The earlier wait ends soon after the lock is free. It has the lock itself for a moment, so look twice.
        wait_for(lambda: has_turn() and has_turn())


def test_a_file_system_without_locks_is_served_without_turns(tmp_path: Path) -> None:
    # With -D the process that is stopped is the service, not its tracer.
    strace = [find_program("strace"), "-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK"]
    with running(Service(tmp_path, "service", strace)) as service:
        assert service.create().status_code == 201
        assert "processes that share it write in no fixed order" in service.output()
