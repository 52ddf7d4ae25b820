"""`make logs`: the lines of all replicas together, readable or as JSON, until Ctrl-C."""

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress

from local.log_lines import LogLine, parse_line
from local.replica_logs import Replica, find_logs
from local.workspace import LocalError, Workspace

LOOK_SECONDS = 2.0
"""How often it looks for new replicas."""

BATCH_SECONDS = 0.3
"""How long a line waits for earlier ones of other replicas."""

TAIL, ALL = "100", "-1"


def logs(workspace: Workspace) -> None:
    """Print the last lines, and new ones as they come unless FOLLOW=0; with REQUEST, all of one request."""
    follower = _Follower(workspace, follow=os.environ.get("FOLLOW") != "0", request=os.environ.get("REQUEST", ""))
    with suppress(KeyboardInterrupt):
        follower.run(as_json=bool(os.environ.get("JSON")))


class _Follower:
    """Reads the logs of all replicas, also of those that an update starts meanwhile."""

    def __init__(self, workspace: Workspace, *, follow: bool, request: str) -> None:
        self._workspace = workspace
        self._logs = find_logs(workspace)
        self._follow = follow
        self._request = request
        self._lines: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
        self._readers: dict[str, threading.Thread] = {}
        self._ended: dict[str, float] = {}
        """When the log of a replica ended, by its id; more follows if the replica is restarted."""

    def run(self, *, as_json: bool) -> None:
        """Print lines until the logs end, or for ever if it follows them."""
        if not self._start_readers():
            raise LocalError(
                f"stack {self._workspace.stack} has no replicas. Run `{self._workspace.command('up')}` first."
            )
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
        """Start to read each log that is not being read; return whether there is a replica."""
        replicas = self._logs.list_replicas()
        for replica in replicas:
            reader = self._readers.get(replica.id)
            ended = self._ended.get(replica.id)
            is_over = not replica.has_log or (ended is not None and not replica.is_running)
            if is_over or (reader and reader.is_alive()):
                continue
            self._readers[replica.id] = threading.Thread(target=self._read, args=(replica, ended), daemon=True)
            self._readers[replica.id].start()
        return bool(replicas)

    def _read(self, replica: Replica, since: float | None) -> None:
        tail = ALL if self._request else TAIL
        with subprocess.Popen(
            self._logs.command(replica, follow=self._follow, tail=tail, since=since),
            env=self._logs.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                self._lines.put(parse_line(replica.name, line.rstrip("\n")))
        self._ended[replica.id] = time.time()
        if self._follow:
            print(f"{replica.name} has stopped", file=sys.stderr)
