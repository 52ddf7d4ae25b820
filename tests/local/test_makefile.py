"""What `make` refuses before it runs anything."""

import subprocess

from local.workspace import ROOT


def test_an_empty_stack_is_refused_and_not_taken_for_dev() -> None:
    command = ["make", "--dry-run", "down", "STACK="]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "STACK is empty" in done.stderr
