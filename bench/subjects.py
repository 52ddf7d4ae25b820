"""What is measured: each subject as processes on a database of its own, filled with sessions."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
_NEXT_ID = {  # of whoever does not take the highest that is there
    SERVICE: "UPDATE allotted SET last_session_id = :count, last_sequence_number = :count",
    "postgresql": "SELECT setval(pg_get_serial_sequence('sessions', 'id'), :count)",
}
_TEXT = "sum(length(cast(id AS TEXT)) + length(cast(user_id AS TEXT)) + length(context))"
_AROUND = len('{"sessionId":,"userId":,"context":""},')


class WrongAnswersError(Exception):
    """A subject gave other answers than it should, so it has no figure."""


@dataclass(frozen=True)
class Database:
    """One that a subject has made its tables in."""

    url: str

    def seed(self, module: str) -> None:
        """Fill it with sessions; nothing else may use it meanwhile."""
        engine = create_engine(self._url)
        with engine.begin() as db:
            values = {"count": SESSIONS, "context": "context " * 12}
            db.execute(text(_SEED), values)
            if next_id := _NEXT_ID.get(module) or _NEXT_ID.get(engine.dialect.name):
                db.execute(text(next_id), values)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            if engine.dialect.name == "sqlite":
                db.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            else:
                db.execute(text("VACUUM ANALYZE sessions"))
        engine.dispose()

    def count(self) -> int:
        """Count the sessions in it."""
        return self._ask("SELECT count(*) FROM sessions")

    def list_bytes(self) -> int:
        """Measure the length of the list of all sessions as JSON."""
        return 1 + self._ask(f"SELECT {_TEXT} + count(*) * {_AROUND} FROM sessions")  # noqa: S608 - our own words

    def _ask(self, question: str) -> int:
        engine = create_engine(self._url)
        with engine.connect() as db:
            number: int = db.execute(text(question)).scalar_one()
        engine.dispose()
        return number

    @property
    def _url(self) -> str:
        return self.url.replace("postgresql://", "postgresql+psycopg://")


class Running:
    """A subject that answers on its ports until it is killed: a replica on each."""

    def __init__(self, module: str, replicas: int = 1, /, **environment: str) -> None:
        self._processes = [_start(["-m", module], environment) for _ in range(replicas)]
        self.ports = [int(process.url.rpartition(":")[2]) for process in self._processes]

    def cpu_seconds(self) -> float:
        """Return what its processes have used so far."""
        return sum(_cpu_seconds(process.pid) for process in self._processes)

    def memory(self, field: str) -> int:
        """Bytes of its processes: VmRSS now, VmHWM at most since it was forgotten."""
        return sum(memory(process.pid, field) for process in self._processes)

    def forget_peak(self) -> None:
        """Let VmHWM begin anew."""
        for process in self._processes:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def kill(self) -> None:
        for process in self._processes:
            process.kill()


def start_peer() -> Process:
    """Start the Central Sequence Service of all subjects."""
    port = free_port()
    return Process([sys.executable, "-m", "bench.peer", str(port)], dict(os.environ), _ROOT, port)


def _start(arguments: list[str], environment: Mapping[str, str]) -> Process:
    port = free_port()
    # The environment of this machine must not choose for them.
    variables = {"PATH": os.environ["PATH"], "PORT": str(port), **environment}
    return Process([sys.executable, *arguments], variables, _ROOT, port)


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, field: str) -> int:
    """Bytes of a process: VmRSS now, VmHWM at most."""
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
    """One answer of a workload. Raises WrongAnswersError."""
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
        raise WrongAnswersError(f"{kind}: {error}") from error
    if response.status_code != status:
        raise WrongAnswersError(f"{kind}: {response.status_code} instead of {status}")
    return response


def record(port: int, file: Path) -> None:
    """Write an answer of each workload, for bench.bare to repeat."""
    hop = {"date", "connection", "transfer-encoding"}  # the server's own
    answers = {}
    for kind in PROBES:
        response = probe(kind, port)
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in hop]
        answers[kind] = {"status": response.status_code, "headers": headers, "body": response.text}
    file.write_text(json.dumps(answers))
