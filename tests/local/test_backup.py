"""What is asked before sessions are removed."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local.workspace import ROOT

DOCKER = """#!/bin/sh
case "$1" in
volume) echo data ;;
ps) echo replica ;;
exec) echo 3 ;;
esac
"""
REMOVE = """
from local import backup, workspace
backup.confirm_removal(workspace.Workspace(stack="dev", proxy_port=0, admin_port=0, dns_port=0))
print("now it is removed")
"""


def remove(folder: Path, stdin: int) -> "subprocess.Popen[str]":
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, "-c", REMOVE],
        cwd=ROOT,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("answer", "is_removed"), [("yes", True), ("y", False), ("", False)])
def test_on_a_terminal_only_yes_removes_sessions(tmp_path: Path, answer: str, is_removed: bool) -> None:
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        with remove(tmp_path, stdin) as process:
            printed, _ = process.communicate(timeout=30)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert "removed with it: 3." in printed
    assert (process.returncode == 0) == printed.endswith("now it is removed\n") == is_removed


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    with remove(tmp_path, subprocess.DEVNULL) as process:
        printed, _ = process.communicate(timeout=30)
    assert "removed with it: 3." in printed
    assert printed.endswith("now it is removed\n")
