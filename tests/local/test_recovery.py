"""Which locks of a stack are held, and what a killed run left in the backend."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.recovery import end_plugins, is_locked, repair_backend
from tests.ports import free_port


@pytest.fixture
def running() -> Iterator[int]:
    """A process that says it is pulumi."""
    with subprocess.Popen([sys.executable, "-c", "input()", "pulumi up"], stdin=subprocess.PIPE) as process:
        yield process.pid


def lock(folder: Path, pid: int, hostname: str) -> Path:
    file = folder / f"{pid}.json"
    file.write_text(json.dumps({"pid": pid, "hostname": hostname}))
    return file


def test_the_lock_of_a_process_that_runs_is_held(tmp_path: Path, running: int) -> None:
    file = lock(tmp_path, running, socket.gethostname())
    assert is_locked(tmp_path)
    assert file.exists()


def test_the_lock_of_a_process_that_ended_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file = lock(tmp_path, ended.pid, socket.gethostname())
    assert not is_locked(tmp_path)
    assert not file.exists()


def test_a_lock_that_was_half_written_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "half.json"
    file.write_text('{"pid": 4')
    assert not is_locked(tmp_path)
    assert not file.exists()


def test_the_lock_of_another_machine_is_held(tmp_path: Path) -> None:
    file = lock(tmp_path, 4, "elsewhere")
    assert is_locked(tmp_path)
    assert file.exists()


def test_a_half_written_description_is_removed_and_a_whole_one_kept(tmp_path: Path) -> None:
    half, empty, whole = (tmp_path / "stacks" / name for name in ("half.attrs", "empty.attrs", "whole.attrs"))
    whole.parent.mkdir()
    for file, content in ((half, '{"user.md5":'), (empty, ""), (whole, "{}")):
        file.write_text(content)
    repair_backend(tmp_path)
    assert [file.exists() for file in (half, empty, whole)] == [False, False, True]


@contextmanager
def plugin(name: str, engine: int) -> Iterator["subprocess.Popen[str]"]:
    """A process that says it is a plugin of the engine on this port."""
    command = [f"/somewhere/{name}", "-c", "input()", f"127.0.0.1:{engine}"]
    with subprocess.Popen(command, executable=sys.executable, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["pulumi-resource-docker", "pulumi-language-python", "pulumi-analyzer-policy"])
def test_a_plugin_whose_engine_was_killed_is_ended(name: str) -> None:
    with plugin(name, free_port()) as process:
        end_plugins()
        assert process.poll() is not None


def test_a_plugin_whose_engine_runs_is_left_alone() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as engine,
        plugin("pulumi-language-python", engine.getsockname()[1]) as process,
    ):
        end_plugins()
        assert process.poll() is None
