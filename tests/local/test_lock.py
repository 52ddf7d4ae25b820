"""Locks keep two processes on a machine from doing the same at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from local.workspace import ROOT
from tests.stack.clone import copy_of_project

HOLD = "from local.lock import hold_lock\nwith hold_lock('setup'): print('holds it', flush=True); input()"
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
