"""`make logs`: the lines of all replicas together, readable or as JSON, until Ctrl-C."""

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress

from local import stack_config
from local.docker_cli import docker, environment, label_filters
from local.log_lines import LogLine, parse_line
from local.probes import pods_command
from local.workspace import LocalError, Workspace

LOOK_SECONDS = 2.0
"""How often it looks for new replicas."""

BATCH_SECONDS = 0.3
"""How long a line waits for earlier ones of other replicas."""

TAIL = "100"


def logs(workspace: Workspace) -> None:
    """Print the last lines, and new ones as they come unless FOLLOW=0; with REQUEST, all of one request."""
    if stack_config.on_kubernetes(workspace):
        raise LocalError(f"on Kubernetes, use: {pods_command(workspace)} logs --follow --prefix")
    follower = _Follower(workspace, follow=os.environ.get("FOLLOW") != "0", request=os.environ.get("REQUEST", ""))
    with suppress(KeyboardInterrupt):
        follower.run(as_json=bool(os.environ.get("JSON")))


class _Follower:
    """Reads the logs of all replicas, also of those that an update starts meanwhile."""

    def __init__(self, workspace: Workspace, *, follow: bool, request: str) -> None:
        self._workspace = workspace
        self._follow = follow
        self._request = request
        self._lines: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
        self._readers: dict[str, threading.Thread] = {}
        self._ended: dict[str, float] = {}
        """When the log of a container ended, by its id; more follows if the container is restarted."""

    def run(self, *, as_json: bool) -> None:
        """Print lines until the logs end, or for ever if it follows them."""
        if not self._start_readers():
            raise LocalError(f"stack {self._workspace.stack} has no containers. Run `make up` first.")
        looked = time.monotonic()
        while True:
            is_reading = any(reader.is_alive() for reader in self._readers.values())
            for line in sorted(self._take_batch(), key=lambda line: line.timestamp):
                print(line.to_json() if as_json else line.to_text(), flush=True)
            if not self._follow and not is_reading:
                return
            if self._follow and time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                self._start_readers()

    def _take_batch(self) -> list[LogLine]:
        """Return the lines that come within a moment, of the request alone if there is one."""
        time.sleep(BATCH_SECONDS)
        lines = []
        with suppress(queue.Empty):
            while True:
                lines.append(self._lines.get_nowait())
        return [line for line in lines if not self._request or line.request_id == self._request]

    def _start_readers(self) -> bool:
        """Start to read each log that is not being read; return whether there is a container."""
        form = "{{.ID}} {{.Names}} {{.State}}"
        listed = docker(self._workspace, ["ps", "--all", *label_filters(self._workspace), "--format", form])
        containers = [line.split() for line in listed.splitlines()]
        for container, name, state in containers:
            reader = self._readers.get(container)
            ended = self._ended.get(container)
            if (reader and reader.is_alive()) or state == "created" or (ended is not None and state != "running"):
                continue
            self._readers[container] = threading.Thread(
                target=self._read, args=(container, name, ended), daemon=True
            )
            self._readers[container].start()
        return bool(containers)

    def _read(self, container: str, name: str, since: float | None) -> None:
        start = ["--tail", "all" if self._request else TAIL] if since is None else ["--since", f"{since:.3f}"]
        with subprocess.Popen(
            ["docker", "logs", *(["--follow"] if self._follow else []), *start, container],
            env=environment(self._workspace),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                self._lines.put(parse_line(name, line.rstrip("\n")))
        self._ended[container] = time.time()
        if self._follow:
            print(f"{name} has stopped", file=sys.stderr)
