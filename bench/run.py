"""`python -m bench.run ROUNDS SECONDS`: all rows, round by round, and within a row subject after subject."""

import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import NamedTuple

from bench.deployment import stack_targets
from bench.limits import sqlite_limits
from bench.load import measure
from bench.plot import plot
from bench.report import Figures, Target, insert, machine, tables
from bench.results import LOAD, Results, Row, Sample, write_results
from bench.subjects import BARE, ORIGINAL, PLAIN, SERVICE, Database, Running, WrongAnswersError, record, start_peer
from bench.tools import need
from local.workspace import ROOT, STATE, LocalError
from tests.service.postgresql import Postgresql

FOLDER = STATE / "bench"
DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = DOCUMENT.with_suffix(".svg")
_SUBJECTS = (SERVICE, PLAIN, ORIGINAL, BARE)
_WORKLOADS = ("create", "read", "not modified", "update", "first page", "deep page", "mix")
PLAN = [
    *(Row(workload=workload) for workload in _WORKLOADS),
    Row(workload="create", with_peer=True),
    Row(workload="list", connections=1),
    *(
        Row(workload=workload, connections=connections)
        for connections, workload in product((1, 256), ("create", "read", "update"))
    ),
    *(Row(workload=workload, database="postgresql") for workload in ("create", "read", "update", "mix")),
    *(Row(workload=workload, replicas=2) for workload in ("create", "read", "mix")),
]
# What a subject can't do, or where the database makes no difference to it.
_NOT_OF_ORIGINAL = {"not modified", "first page", "deep page"}


def does(subject: str, row: Row) -> bool:
    """Whether the row has a meaning for the subject."""
    if subject == BARE:
        return (row.database, row.replicas, row.with_peer) == ("sqlite", 1, False) and row.workload != "list"
    return subject != ORIGINAL or row.workload not in _NOT_OF_ORIGINAL


class Started(NamedTuple):
    running: Running
    database: Database | None


class Bench:
    """The subjects that run, and their databases, which stay from one group of rows to the next."""

    def __init__(self, stack: ExitStack) -> None:
        self._databases: dict[tuple[str, str, bool], Database] = {}
        self._stack = stack
        self._peer = start_peer()
        stack.callback(self._peer.kill)
        self._postgresql: Postgresql | None = None

    @contextmanager
    def targets(self, rows: list[Row]) -> Iterator[dict[tuple[str, bool], Started]]:
        """Whatever these rows need; all of them have the same database and number of replicas."""
        needed = dict.fromkeys((s, row.with_peer) for s in _SUBJECTS for row in rows if does(s, row))
        with ExitStack() as stack:
            targets: dict[tuple[str, bool], Started] = {}
            for subject, with_peer in needed:
                target = self._start(subject, rows[0], with_peer=with_peer)
                stack.callback(target.running.kill)
                targets[subject, with_peer] = target
                if (subject, with_peer) == (SERVICE, False):
                    record(target.running.ports[0], FOLDER / "answers.json")
            yield targets

    def _start(self, subject: str, row: Row, *, with_peer: bool) -> Started:
        if subject == BARE:
            return Started(Running(BARE, ANSWERS=str(FOLDER / "answers.json")), None)
        key = (subject, row.database, with_peer)
        environment = {"SEQUENCE_SERVICE_URL": self._peer.url} if with_peer else {}
        if key not in self._databases:
            database = self._databases[key] = Database(self._url(row.database, "-".join(map(str, key))))
            Running(subject, DATABASE_URL=database.url).kill()  # makes its tables
            if not with_peer:  # whose numbers begin at one
                database.seed(subject)
        database = self._databases[key]
        return Started(Running(subject, row.replicas, DATABASE_URL=database.url, **environment), database)

    def _url(self, kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{FOLDER / name}.db"
        if self._postgresql is None:
            self._postgresql = Postgresql(fsync="on")
            self._stack.callback(self._postgresql.remove)
        return self._postgresql.new_database()


def main(rounds: int, seconds: int) -> int:
    """Return the exit status: 0 when the service has a figure in every row."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    need("wrk", "curl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    results: Results = defaultdict(list)
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in PLAN:
        groups[row.database, row.replicas].append(row)
    with ExitStack() as stack:
        bench = Bench(stack)
        for rows in groups.values():
            with bench.targets(rows) as targets:
                for number, row, subject in product(range(rounds), rows, _SUBJECTS):
                    if does(subject, row):
                        sample = _measure(row, targets[subject, row.with_peer], seconds)
                        results[row, subject].append(sample)
                        _tell(number, row, subject, sample)
    (FOLDER / "results.json").write_text(write_results(results))
    figures = Figures(results)
    limits = sqlite_limits(FOLDER / "limits.db", seconds)
    text = f"{machine()}.\n\n{tables(figures, _stack(rounds), limits)}\n\n![Requests a second]({PLOT.name})"
    print(f"\n{text}")
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), text))
    PLOT.write_text(plot(figures, [row for row in groups["sqlite", 1] if row.connections == LOAD]))
    return int(any(figures.of(row, SERVICE) is None for row in PLAN))


def _stack(rounds: int) -> list[Target]:
    try:
        return list(stack_targets(rounds))
    except AssertionError as error:
        print(f"The stack can't be brought up, so it has no figures: {error}")
        return []


def _measure(row: Row, target: Started, seconds: int) -> Sample | str:
    try:
        return measure(row, target.running, target.database, seconds)
    except WrongAnswersError as error:
        return str(error)


def _tell(number: int, row: Row, subject: str, sample: Sample | str) -> None:
    what = f"{time.strftime('%H:%M:%S')} round {number + 1}: {row.title:50} {subject:15}"
    if isinstance(sample, Sample):
        told = f"{sample.rate:>10,.0f}/s {sample.cpu_us:>9.1f} µs CPU, median {sample.median_ms:>7.2f} ms, p99 "
        told += f"{sample.p99_ms:>7.2f} ms; wrk {sample.client_cpu_us:>5.1f} µs CPU; {sample.peak_bytes >> 20} MiB"
    else:
        told = f"FAILED: {sample}"
    print(what, told, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
    except LocalError as error:
        sys.exit(f"\nStopped: {error}")
