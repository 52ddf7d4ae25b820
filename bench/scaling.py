"""`python -m bench.scaling SECONDS SIZE...`: measure the service with more and more sessions, and replicas."""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import measure
from bench.report import insert, machine, short
from bench.results import Case, Sample
from bench.subjects import SERVICE, SESSIONS, Database, RunningSubject, WrongResponseError
from local.debian import find_program
from local.workspace import ROOT, STATE, LocalError
from tests.service.postgresql import Postgresql

FOLDER = STATE / "scaling"
DOCUMENT = ROOT / "docs" / "scaling.md"
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
REPLICAS = (1, 2, 3, 4)
_MIB = 1 << 20
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_LISTED = Case(workload="list", connections=1)


def main(seconds: int, sizes: tuple[int, ...]) -> int:
    """Measure everything, and update the documentation."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for program in ("wrk", "curl"):
        find_program(program)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    server = Postgresql(fsync="on")
    try:
        lines = [
            f"{machine()}.",
            "",
            *_tabulate_sizes(server, seconds, sizes),
            "",
            *_tabulate_replicas(server, seconds),
        ]
    finally:
        server.remove()
        shutil.rmtree(FOLDER)
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), "\n".join(lines), "make scaling"))
    return 0


def _tabulate_sizes(server: Postgresql, seconds: int, sizes: tuple[int, ...]) -> Iterator[str]:
    yield "| database | sessions | start | create | read | page of 100 | list, sessions | disk | memory after it |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for kind, name in _NAMES.items():
        for size in sizes:
            with _filled(server, kind, size) as database:
                begin = time.perf_counter()
                subject = RunningSubject(SERVICE, DATABASE_URL=database.url)
                cells = [name, f"{size:,}", f"{time.perf_counter() - begin:.1f} s"]
                try:
                    # The list first, since its check counts on the sessions that were put there.
                    listed = _measure(_LISTED, subject, database, seconds)
                    after = subject.memory("VmRSS")
                    for workload in ("create", "read", "first page"):
                        case = Case(workload=workload, database=kind)
                        cells.append(f"{short(_measure(case, subject, database, seconds).rate)}/s")
                finally:
                    subject.kill()
                cells += [
                    f"{short(listed.rate)}/s",
                    _format_bytes(database.disk_bytes()),
                    f"{after / _MIB:.0f} MiB",
                ]
            row = f"| {' | '.join(cells)} |"
            print(row, flush=True)
            yield row


def _tabulate_replicas(server: Postgresql, seconds: int) -> Iterator[str]:
    yield f"With {SESSIONS:,} sessions in PostgreSQL:"
    yield ""
    yield "| replicas | create | median, p99 | read | median, p99 | mix | median, p99 |"
    yield "|---|---|---|---|---|---|---|"
    with _filled(server, "postgresql", SESSIONS) as database:
        for replicas in REPLICAS:
            subject = RunningSubject(SERVICE, replicas, DATABASE_URL=database.url)
            cells = [str(replicas)]
            try:
                for workload in ("create", "read", "mix"):
                    case = Case(workload=workload, database="postgresql", replicas=replicas)
                    sample = _measure(case, subject, database, seconds)
                    cells += [f"{short(sample.rate)}/s", f"{sample.median_ms:.1f}, {sample.p99_ms:.1f} ms"]
            finally:
                subject.kill()
            row = f"| {' | '.join(cells)} |"
            print(row, flush=True)
            yield row


@contextmanager
def _filled(server: Postgresql, kind: str, size: int) -> Iterator[Database]:
    """Yield a database with this many sessions, which is removed afterwards."""
    file = FOLDER / "sessions.db"
    database = Database(f"sqlite:///{file}" if kind == "sqlite" else server.new_database(), size)
    RunningSubject(SERVICE, DATABASE_URL=database.url).kill()  # creates its tables
    database.seed(SERVICE)
    yield database
    if kind == "sqlite":
        _remove(file)
    else:
        server.execute("postgres", f"DROP DATABASE {database.url.rpartition('/')[2]} WITH (FORCE)")


def _remove(file: Path) -> None:
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


def _measure(case: Case, subject: RunningSubject, database: Database, seconds: int) -> Sample:
    return measure(case, subject, database, seconds, database.sessions)


def _format_bytes(count: int) -> str:
    return f"{count / _MIB:,.1f} MiB" if count < 100 * _MIB else f"{count / _MIB:,.0f} MiB"


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]), tuple(map(int, sys.argv[2:])) or SIZES))
    except (LocalError, WrongResponseError) as error:
        sys.exit(f"\nError: {error}")
