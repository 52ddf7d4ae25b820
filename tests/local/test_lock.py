"""Locks keep two processes on a machine from doing the same at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from local.workspace import ROOT
from tests.stack.clone import copy_of_project

HOLD = "from local.lock import hold_lock\nwith hold_lock('setup'): print('holds it', flush=True); input()"
CROWD = """
import os
from pathlib import Path
from local.lock import hold_lock
mark = Path(os.environ["MARK"])
for _ in range(50):
    with hold_lock("crowd"):
        mark.touch(exist_ok=False)
        mark.unlink()
"""
SETUP = "from local import install, pulumi_tools as tools; tools.DOWNLOADS = 'http://127.0.0.1:9'; install.setup()"
GO = """#!/bin/sh
[ "$1" = version ] && echo "go version go1.26.6 linux/amd64" && exit
echo built >> "$BUILDS"
sleep 1
while [ "$1" != -o ]; do shift; done
echo "#!/bin/sh" > "$2"
"""


def start(code: str, folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_second_process_waits_unless_the_first_was_killed(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    with start(HOLD, ROOT, cache) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "holds it\n"
        with start(HOLD, ROOT, cache) as second:
            assert second.stdout is not None
            assert f"Waiting for another setup to finish: {ROOT} (process {first.pid})" in second.stdout.readline()
            first.send_signal(signal.SIGKILL)
            assert second.communicate("\n", timeout=30)[0] == "holds it\n"


def test_a_released_lock_leaves_no_file_and_the_next_process_waits_for_the_newest_file(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    with start(HOLD, ROOT, cache) as first, start(HOLD, ROOT, cache) as second:
        held, waiting = sorted((first, second), key=lambda process: not _first_line(process).startswith("holds"))
        held.communicate("\n", timeout=30)  # removes the file that the other waits for
        assert _first_line(waiting) == "holds it\n"
        with start(HOLD, ROOT, cache) as third:
            assert f"(process {waiting.pid})" in _first_line(third)
            waiting.communicate("\n", timeout=30)
            assert third.communicate("\n", timeout=30)[0] == "holds it\n"
    assert list((tmp_path / "session-context").iterdir()) == []


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_many_processes_hold_a_lock_one_at_a_time(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    processes = [start(CROWD, ROOT, cache | {"MARK": str(tmp_path / "mark")}) for _ in range(6)]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, printed


def test_two_concurrent_setups_build_the_cli_once(tmp_path: Path) -> None:
    path, builds = tmp_path / "path", tmp_path / "builds"
    path.mkdir()
    (path / "go").write_text(GO)
    (path / "go").chmod(0o755)
    environment = {
        "BUILDS": str(builds),
        "DOCKER_HOST": "unix:///nowhere",  # no engine is installed
        "PATH": f"{path}:/usr/bin:/bin",
        "PULUMI_HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    clones = [tmp_path / "one", tmp_path / "two"]
    for clone in clones:
        copy_of_project(clone)
    setups = [start(SETUP, clone, environment) for clone in clones]
    printed = "".join(setup.communicate(timeout=60)[0] for setup in setups)
    assert [setup.returncode for setup in setups] == [0, 0], printed
    assert builds.read_text() == "built\n"
