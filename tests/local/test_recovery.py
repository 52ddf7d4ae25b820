"""Locks, attributes and plugins that a killed run left."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import processes
from local.recovery import is_locked, repair_backend, terminate_plugins
from tests.ports import free_port
from tests.waiting import wait_for


@pytest.fixture
def running() -> Iterator[int]:
    """Yield a process that looks like pulumi."""
    with subprocess.Popen([sys.executable, "-c", "input()", "pulumi up"], stdin=subprocess.PIPE) as process:
        yield process.pid


def lock(folder: Path, pid: int, hostname: str) -> Path:
    file = folder / f"{pid}.json"
    file.write_text(json.dumps({"pid": pid, "hostname": hostname}))
    return file


def test_the_lock_of_a_running_process_is_respected(tmp_path: Path, running: int) -> None:
    file = lock(tmp_path, running, socket.gethostname())
    assert is_locked(tmp_path)
    assert file.exists()


def test_the_lock_of_a_process_that_has_ended_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file = lock(tmp_path, ended.pid, socket.gethostname())
    assert not is_locked(tmp_path)
    assert not file.exists()


def test_a_half_written_lock_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "half.json"
    file.write_text('{"pid": 4')
    assert not is_locked(tmp_path)
    assert not file.exists()


def test_the_lock_of_another_machine_is_respected(tmp_path: Path) -> None:
    file = lock(tmp_path, 4, "elsewhere")
    assert is_locked(tmp_path)
    assert file.exists()


def test_half_written_attributes_are_removed_and_complete_ones_kept(tmp_path: Path) -> None:
    half, empty, whole = (tmp_path / "stacks" / name for name in ("half.attrs", "empty.attrs", "whole.attrs"))
    whole.parent.mkdir()
    for file, content in ((half, '{"user.md5":'), (empty, ""), (whole, "{}")):
        file.write_text(content)
    repair_backend(tmp_path)
    assert [file.exists() for file in (half, empty, whole)] == [False, False, True]


@contextmanager
def plugin(name: str, engine: int) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that looks like a plugin of the engine on this port."""
    command = [f"/somewhere/{name}", "-c", "input()", f"127.0.0.1:{engine}"]
    with subprocess.Popen(command, executable=sys.executable, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["pulumi-resource-docker", "pulumi-language-python", "pulumi-analyzer-policy"])
def test_a_plugin_of_a_killed_engine_is_terminated(name: str) -> None:
    with plugin(name, free_port()) as process:
        terminate_plugins()
        assert process.poll() is not None


def test_a_plugin_of_a_running_engine_is_left_alone() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as engine,
        plugin("pulumi-language-python", engine.getsockname()[1]) as process,
    ):
        terminate_plugins()
        assert process.poll() is None


def test_a_plugin_of_an_engine_in_another_network_namespace_is_left_alone(tmp_path: Path) -> None:
    """Its address does not answer here."""
    engine = shutil.copy(Path("/bin/bash").resolve(), tmp_path / "pulumi")
    plugin = f"exec -a pulumi-resource-docker {sys.executable} -c 'input()' 127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [engine, "-c", f"({plugin}) <&0 & echo $!; wait"], stdin=-1, stdout=-1, text=True
    ) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        wait_for(lambda: processes.is_running(pid, "pulumi-resource-docker"))
        terminate_plugins()
        assert processes.is_running(pid, "pulumi-resource-docker")
        os.kill(pid, signal.SIGKILL)
