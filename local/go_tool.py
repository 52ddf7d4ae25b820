"""`python -m local.go_tool NAME …`: run a Go program that `.ci/NAME/go.mod` locks.

Go builds it once on each machine.
"""

import os
import subprocess
import sys

from local.go_programs import find_go
from local.workspace import ROOT


def main() -> None:
    """Build the program if need be, and replace this process by it."""
    name = sys.argv[1]
    command = [find_go(), "-C", str(ROOT / ".ci" / name), "tool", "-n", name]
    program = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if program.returncode:
        sys.exit(program.returncode)  # go has printed why
    os.execv(program.stdout.strip(), sys.argv[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
