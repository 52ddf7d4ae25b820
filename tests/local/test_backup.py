"""What is asked before sessions are removed or replaced."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local.workspace import ROOT

DOCKER = """#!/bin/sh
echo "$1" >> "$0.calls"
case "$1" in
volume) echo data ;;
ps) echo replica ;;
exec) echo 3 ;;
run) cat > /dev/null; echo sessions restored: 2 >&2 ;;
inspect) echo healthy ;;
esac
"""
REMOVE = """
from local import backup, workspace
backup.confirm_removal(workspace.Workspace(stack="dev", proxy_port=0, admin_port=0, dns_port=0))
print("now it is removed")
"""
RESTORE = """
from local import backup, workspace
backup.restore(workspace.Workspace(stack="dev", proxy_port=0, admin_port=0, dns_port=0))
"""


def start(program: str, folder: Path, stdin: int) -> "subprocess.Popen[str]":
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "FILE": str(docker)},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("answer", "is_removed"), [("yes", True), ("y", False), ("", False)])
def test_on_a_terminal_only_yes_removes_sessions(tmp_path: Path, answer: str, is_removed: bool) -> None:
    status, printed = run_on_terminal(REMOVE, tmp_path, answer)
    assert "removed with it: 3." in printed
    assert (status == 0) == printed.endswith("now it is removed\n") == is_removed


@pytest.mark.parametrize(("answer", "is_restored"), [("yes", True), ("n", False)])
def test_on_a_terminal_only_yes_replaces_sessions(tmp_path: Path, answer: str, is_restored: bool) -> None:
    status, printed = run_on_terminal(RESTORE, tmp_path, answer)
    assert "replaced by those in" in printed
    assert (status == 0) == ("stop" in (tmp_path / "docker.calls").read_text().split()) == is_restored


def run_on_terminal(program: str, folder: Path, answer: str) -> tuple[int, str]:
    """Run a program, with this answer to what it asks; return its exit status and what it printed."""
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        with start(program, folder, stdin) as process:
            printed, _ = process.communicate(timeout=30)
    finally:
        os.close(terminal)
        os.close(stdin)
    return process.returncode, printed


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    with start(REMOVE, tmp_path, subprocess.DEVNULL) as process:
        printed, _ = process.communicate(timeout=30)
    assert "removed with it: 3." in printed
    assert printed.endswith("now it is removed\n")
