"""`python -m bench.run ROUNDS SECONDS`: measure all cases, round by round, and in each case every subject."""

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
from bench.fairness import measure_fairness
from bench.limits import sqlite_limits
from bench.load import measure
from bench.plot import plot
from bench.report import Figures, Target, insert, machine, tables
from bench.results import LOAD, Case, Results, Sample, format_results
from bench.stops import measure_stops
from bench.subjects import (
    BARE,
    ORIGINAL,
    PLAIN,
    SERVICE,
    Database,
    RunningSubject,
    WrongResponseError,
    record_responses,
    start_peer,
)
from local.debian import find_program
from local.workspace import ROOT, STATE, LocalError
from tests.service.postgresql import Postgresql

FOLDER = STATE / "bench"
DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = DOCUMENT.with_suffix(".svg")
_SUBJECTS = (SERVICE, PLAIN, ORIGINAL, BARE)
_WORKLOADS = ("create", "read", "not modified", "update", "first page", "deep page", "mix")
PLAN = [
    *(Case(workload=workload) for workload in _WORKLOADS),
    Case(workload="create", with_peer=True),
    Case(workload="list", connections=1),
    *(
        Case(workload=workload, connections=connections)
        for connections, workload in product((1, 256), ("create", "read", "update"))
    ),
    *(Case(workload=workload, database="postgresql") for workload in ("create", "read", "update", "mix")),
    *(Case(workload=workload, replicas=2) for workload in ("create", "read", "mix")),
    Case(workload="create", replicas=4),
    *(
        Case(workload=workload, database=database, workers=2)
        for database, workload in product(("sqlite", "postgresql"), ("create", "read", "mix"))
    ),
]
_STOPS = 50
# What the original shape lacks.
_NOT_OF_ORIGINAL = {"not modified", "first page", "deep page"}


def supports(subject: str, case: Case) -> bool:
    """Return whether the subject can run the case."""
    if case.workers > 1:
        return subject == SERVICE
    if subject == BARE:
        return (case.database, case.replicas, case.with_peer) == ("sqlite", 1, False) and case.workload != "list"
    return subject != ORIGINAL or case.workload not in _NOT_OF_ORIGINAL


class Started(NamedTuple):
    running: RunningSubject
    database: Database | None


class Bench:
    """The running subjects, and their databases, which are kept from one group of cases to the next."""

    def __init__(self, stack: ExitStack) -> None:
        self._databases: dict[tuple[str, str, bool], Database] = {}
        self._stack = stack
        self._peer = start_peer()
        stack.callback(self._peer.kill)
        self._postgresql: Postgresql | None = None

    @contextmanager
    def start_subjects(self, cases: list[Case]) -> Iterator[dict[tuple[str, bool], Started]]:
        """Start what these cases need; all have the same kind of database and number of processes."""
        needed = dict.fromkeys((s, case.with_peer) for s in _SUBJECTS for case in cases if supports(s, case))
        with ExitStack() as stack:
            targets: dict[tuple[str, bool], Started] = {}
            for subject, with_peer in needed:
                target = self._start(subject, cases[0], with_peer=with_peer)
                stack.callback(target.running.kill)
                targets[subject, with_peer] = target
                if (subject, with_peer) == (SERVICE, False):
                    record_responses(target.running.ports[0], FOLDER / "responses.json")
            yield targets

    def _start(self, subject: str, case: Case, *, with_peer: bool) -> Started:
        if subject == BARE:
            return Started(RunningSubject(BARE, RESPONSES=str(FOLDER / "responses.json")), None)
        key = (subject, case.database, with_peer)
        environment = {"SEQUENCE_SERVICE_URL": self._peer.url} if with_peer else {}
        if case.workers > 1:
            environment["WEB_CONCURRENCY"] = str(case.workers)
        if key not in self._databases:
            database = self._databases[key] = Database(self._url(case.database, "-".join(map(str, key))))
            RunningSubject(subject, DATABASE_URL=database.url).kill()  # creates its tables
            if not with_peer:  # its numbers start at one
                database.seed(subject)
        database = self._databases[key]
        return Started(RunningSubject(subject, case.replicas, DATABASE_URL=database.url, **environment), database)

    def _url(self, kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{FOLDER / name}.db"
        if self._postgresql is None:
            self._postgresql = Postgresql(fsync="on")
            self._stack.callback(self._postgresql.remove)
        return self._postgresql.new_database()


def main(rounds: int, seconds: int) -> int:
    """Measure everything and update the documentation; return 0 if the service has a figure for every case."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for program in ("wrk", "curl"):
        find_program(program)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    results: Results = defaultdict(list)
    groups: dict[tuple[str, int, int], list[Case]] = defaultdict(list)
    for case in PLAN:
        groups[case.database, case.replicas, case.workers].append(case)
    with ExitStack() as stack:
        bench = Bench(stack)
        for cases in groups.values():
            with bench.start_subjects(cases) as targets:
                for number, case, subject in product(range(rounds), cases, _SUBJECTS):
                    if supports(subject, case):
                        sample = _measure(case, targets[subject, case.with_peer], seconds)
                        results[case, subject].append(sample)
                        _print_sample(number, case, subject, sample)
    (FOLDER / "results.json").write_text(format_results(results))
    figures = Figures(results)
    limits = sqlite_limits(FOLDER / "limits.db", seconds)
    others = [*measure_fairness(seconds), *measure_stops(_STOPS), *_stack(rounds)]
    text = f"{machine()}.\n\n{tables(figures, others, limits)}\n\n![Requests per second]({PLOT.name})"
    print(f"\n{text}")
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), text, "make bench"))
    PLOT.write_text(plot(figures, [case for case in groups["sqlite", 1, 1] if case.connections == LOAD]))
    return int(any(figures.of(case, SERVICE) is None for case in PLAN))


def _stack(rounds: int) -> list[Target]:
    try:
        return list(stack_targets(rounds))
    except AssertionError as error:
        print(f"The stack could not be deployed, so it has no figures: {error}")
        return []


def _measure(case: Case, target: Started, seconds: int) -> Sample | str:
    try:
        return measure(case, target.running, target.database, seconds)
    except WrongResponseError as error:
        return str(error)


def _print_sample(number: int, case: Case, subject: str, sample: Sample | str) -> None:
    what = f"{time.strftime('%H:%M:%S')} round {number + 1}: {case.title:50} {subject:15}"
    if isinstance(sample, Sample):
        result = f"{sample.rate:>10,.0f}/s {sample.cpu_us:>9.1f} µs CPU, median {sample.median_ms:>7.2f} ms, p99 "
        result += (
            f"{sample.p99_ms:>7.2f} ms; wrk {sample.client_cpu_us:>5.1f} µs CPU; {sample.peak_bytes >> 20} MiB"
        )
    else:
        result = f"FAILED: {sample}"
    print(what, result, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
    except LocalError as error:
        sys.exit(f"\nError: {error}")
