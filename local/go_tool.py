"""Run a Go program that `.ci/NAME/go.mod` locks: `python -m local.go_tool NAME …`.

Go builds it once for a machine.
"""

import os
import subprocess
import sys

from local.install import find_go
from local.workspace import ROOT


def main() -> None:
    """Build the program if need be, and become it, in the current folder."""
    name = sys.argv[1]
    command = [find_go(), "-C", str(ROOT / ".ci" / name), "tool", "-n", name]
    program = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if program.returncode:
        sys.exit(program.returncode)  # go itself has said why
    os.execv(program.stdout.strip(), sys.argv[1:])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
