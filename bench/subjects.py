"""What is measured: each subject as processes on its own database, filled with sessions."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from sqlalchemy import create_engine, text

from tests.ports import free_port
from tests.service.processes import Process

SERVICE, PLAIN, ORIGINAL, BARE = "service", "bench.plain", "bench.original", "bench.bare"
SESSIONS = 1_000_000
_ROOT = Path(__file__).parents[1]
_SEED = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
    INSERT INTO sessions (id, user_id, context, sequence_number, version)
    SELECT n, n % 10000 + 1, :context, n, 1 FROM numbers
"""
_NEXT_ID = {  # of those that do not derive it from the highest id
    SERVICE: "UPDATE allotted SET last_session_id = :count, last_sequence_number = :count",
    "postgresql": "SELECT setval(pg_get_serial_sequence('sessions', 'id'), :count)",
}
_TEXT = "sum(length(cast(id AS TEXT)) + length(cast(user_id AS TEXT)) + length(context))"
_AROUND = len('{"sessionId":,"userId":,"context":""},')


class WrongResponseError(Exception):
    """A subject sent unexpected responses, so it has no figure."""


@dataclass(frozen=True)
class Database:
    """A database in which a subject has created its tables."""

    url: str
    sessions: int = SESSIONS
    """How many are there at first."""

    def seed(self, module: str) -> None:
        """Fill it with sessions, while nothing else uses it."""
        engine = create_engine(self._url)
        with engine.begin() as db:
            values = {"count": self.sessions, "context": "context " * 12}
            db.execute(text(_SEED), values)
            if next_id := _NEXT_ID.get(module) or _NEXT_ID.get(engine.dialect.name):
                db.execute(text(next_id), values)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            if engine.dialect.name == "sqlite":
                db.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            else:
                db.execute(text("VACUUM ANALYZE sessions"))
                db.execute(text("CHECKPOINT"))
        engine.dispose()

    def count(self) -> int:
        """Return the number of sessions."""
        return self._query("SELECT count(*) FROM sessions")

    def list_bytes(self) -> int:
        """Return the length of the list of all sessions as JSON."""
        return 1 + self._query(f"SELECT {_TEXT} + count(*) * {_AROUND} FROM sessions")  # noqa: S608 - our own words

    def disk_bytes(self) -> int:
        """Return the size of the database, indexes included."""
        if self.url.startswith("sqlite"):
            return self._query("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return self._query("SELECT pg_database_size(current_database())")

    def _query(self, question: str) -> int:
        engine = create_engine(self._url)
        with engine.connect() as db:
            number: int = db.execute(text(question)).scalar_one()
        engine.dispose()
        return number

    @property
    def _url(self) -> str:
        return self.url.replace("postgresql://", "postgresql+psycopg://")


class RunningSubject:
    """A subject that runs until it is killed, with a replica on each port."""

    def __init__(self, module: str, replicas: int = 1, /, **environment: str) -> None:
        self._processes = [_start(["-m", module], environment) for _ in range(replicas)]
        self.ports = [int(process.url.rpartition(":")[2]) for process in self._processes]

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    def memory(self, field: str) -> int:
        """Return the bytes of its processes: VmRSS now, VmHWM the peak since its reset."""
        return sum(memory(pid, field) for pid in self._pids())

    def reset_peak(self) -> None:
        """Reset VmHWM."""
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _pids(self) -> Iterator[int]:
        for process in self._processes:
            yield process.pid
            yield from (worker.pid for worker in psutil.Process(process.pid).children(recursive=True))


def start_peer() -> Process:
    """Start the Central Sequence Service of all subjects."""
    port = free_port()
    return Process([sys.executable, "-m", "bench.peer", str(port)], dict(os.environ), _ROOT, port)


def _start(arguments: list[str], environment: Mapping[str, str]) -> Process:
    port = free_port()
    # This machine's environment must not affect them.
    variables = {"PATH": os.environ["PATH"], "PORT": str(port), **environment}
    return Process([sys.executable, *arguments], variables, _ROOT, port)


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, field: str) -> int:
    """Return the bytes of a process: VmRSS now, VmHWM the peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(field)


PROBES: dict[str, tuple[str, str, int]] = {
    "create": ("POST", "/sessions", 201),
    "read": ("GET", "/sessions/1/context", 200),
    "not modified": ("GET", "/sessions/1/context", 304),
    "update": ("PUT", f"/sessions/{SESSIONS}", 200),
    "first page": ("GET", "/sessions?limit=100", 200),
    "deep page": ("GET", f"/sessions?limit=100&after={SESSIONS - 100}", 200),
    "mix": ("GET", "/sessions/1/context", 200),
}


def probe(kind: str, port: int) -> requests.Response:
    """Send one request of a workload. Raises `WrongResponseError`."""
    method, path, status = PROBES[kind]
    try:
        response = requests.request(
            method,
            f"http://127.0.0.1:{port}{path}",
            json={"userId": 1, "context": "context " * 12} if method != "GET" else None,
            headers={"If-None-Match": '"1"'} if kind == "not modified" else {},
            timeout=60,
        )
    except requests.RequestException as error:
        raise WrongResponseError(f"{kind}: {error}") from error
    if response.status_code != status:
        raise WrongResponseError(f"{kind}: {response.status_code} instead of {status}")
    return response


def record_responses(port: int, file: Path) -> None:
    """Write a response of each workload, for bench.bare."""
    hop = {"date", "connection", "transfer-encoding"}  # the server's own
    responses = {}
    for kind in PROBES:
        response = probe(kind, port)
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in hop]
        responses[kind] = {"status": response.status_code, "headers": headers, "body": response.text}
    file.write_text(json.dumps(responses))
