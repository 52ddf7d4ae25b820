"""Process 1 of a part of the cluster: starts the part's programs, and starts again what ends.

`python -I supervisor.py SPEC` runs in namespaces of its own for processes and mounts, so that its end, even by
SIGKILL, ends all that runs in them, pods included, and undoes all that they mounted. Standard library only: it is
started without the project's packages.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

RESTART_SECONDS = 1.0


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _start(name: str, command: list[str], logs: Path) -> int:
    with (logs / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log).pid


def main(file: Path) -> None:
    """Set the mounts up, wait until the network is there, then run the programs for ever."""
    spec = json.loads(file.read_text())
    logs = Path(spec["logs"])
    for source, target in spec["mounts"].items():
        _mount("--bind", source, target)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    sys.stdin.read()  # `make cluster` closes it once the network is there
    programs: dict[str, list[str]] = spec["programs"]
    running = {_start(name, command, logs): name for name, command in programs.items()}
    while True:
        pid, _ = os.wait()  # also of pods' processes, which come to process 1 when their shim ends
        if pid in running:
            name = running.pop(pid)
            time.sleep(RESTART_SECONDS)
            running[_start(name, programs[name], logs)] = name


if __name__ == "__main__":
    main(Path(sys.argv[1]))
