"""The figures of docs/performance.md: medians with their spread, ratios, and targets."""

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.results import LOAD, Case, Results, Sample
from bench.subjects import BARE, ORIGINAL, PLAIN, SERVICE

NAMES = {SERVICE: "service", PLAIN: "plain", ORIGINAL: "original", BARE: "bare server"}
_MIB = 1 << 20


@dataclass(frozen=True)
class Figures:
    """The medians of the runs of each case; a case with a failed run has none."""

    results: Results

    def of(self, case: Case, subject: str, field: str = "rate") -> float | None:
        values = self._values(case, subject, field)
        return median(values) if values else None

    def spread(self, case: Case, subject: str) -> str:
        """Format the median, lowest and highest rate; "failed"; or "–" without runs."""
        if (case, subject) not in self.results:
            return "–"
        values = self._values(case, subject, "rate")
        return f"{short(median(values))} ({short(min(values))}–{short(max(values))})" if values else "failed"

    def ratio(self, case: Case, subject: str, other: str) -> float | None:
        mine, others = self.of(case, subject), self.of(case, other)
        return mine / others if mine and others else None

    def cases(self) -> list[Case]:
        return list(dict.fromkeys(case for case, _ in self.results))

    def _values(self, case: Case, subject: str, field: str) -> list[float]:
        samples = self.results.get((case, subject), [])
        if any(isinstance(sample, str) for sample in samples):
            return []
        return [getattr(sample, field) for sample in samples if isinstance(sample, Sample)]


@dataclass(frozen=True)
class Target:
    """A target with its figure."""

    name: str
    aim: str
    figure: str
    is_met: bool | None


def targets(figures: Figures) -> Iterator[Target]:
    """Yield each target with its figure."""
    for case, aim in (
        (Case(workload="create", with_peer=True), 12),
        (Case(workload="create"), 20),
        (Case(workload="read"), 8),
        (Case(workload="update"), 8),
    ):
        yield at_least(
            f"{name(case)}, against the original shape", figures.ratio(case, SERVICE, ORIGINAL), aim, "×"
        )
    for workload, aim in (("read", 55), ("update", 25), ("create", 25)):
        share = figures.ratio(Case(workload=workload), SERVICE, BARE)
        yield at_least(f"{workload}, of the bare server", share and share * 100, aim, " %")
    yield at_least("first page, per second", figures.of(Case(workload="first page"), SERVICE), 4_000, "")
    listed = Case(workload="list", connections=1)
    yield at_least("list, sessions per second", figures.of(listed, SERVICE), 1_000_000, "")
    first, deep = (figures.of(Case(workload=f"{page} page"), SERVICE, "cpu_us") for page in ("first", "deep"))
    yield at_most(
        "CPU time of page 10,000 against page 1", first and deep and max(first / deep, deep / first), 1.3, "×"
    )
    peak = figures.of(listed, SERVICE, "peak_bytes")
    yield at_most("memory of a list of 1,000,000 above idle", peak if peak is None else peak / _MIB, 64, " MiB")
    yield _tail(figures, "one process", 3, [case for case in figures.cases() if case.replicas * case.workers == 1])
    several = [case for case in figures.cases() if case.replicas * case.workers > 1]
    yield _tail(figures, "several processes", 10, several)
    for database in ("sqlite", "postgresql"):
        one, two = (
            figures.of(Case(workload="read", database=database, workers=workers), SERVICE) for workers in (1, 2)
        )
        yield at_least(
            f"{name(Case(workload='read', database=database, workers=2))}, of one's",
            one and two and two / one,
            1.7,
            "×",
        )
    yield _against_plain(figures)
    yield _client(figures)


def _tail(figures: Figures, of: str, aim: float, cases: Iterable[Case]) -> Target:
    tails: list[tuple[float, Case | None]] = [(0, None)]
    for case in cases:
        half, p99 = (figures.of(case, SERVICE, field) for field in ("median_ms", "p99_ms"))
        if case.connections > 1 and half and p99:
            tails.append((p99 / half, case))
    worst, slowest = max(tails, key=lambda one: one[0])
    return at_most(f"p99 against median under load, {of}, worst case ({name(slowest)})", worst or None, aim, "×")


def _against_plain(figures: Figures) -> Target:
    ratios = [(ratio, case) for case in figures.cases() if (ratio := figures.ratio(case, SERVICE, PLAIN))]
    worst, case = min(ratios, key=lambda one: one[0], default=(None, None))
    return at_least(f"against the plain good service, worst case ({name(case)})", worst, 3, "×")


def _client(figures: Figures) -> Target:
    costs = [[figures.of(case, BARE, field) for field in ("client_cpu_us", "cpu_us")] for case in figures.cases()]
    shares = [client / server for client, server in costs if client and server]
    return at_most("CPU time of wrk against the bare server's, worst case", max(shares, default=None), 1, "×")


def at_least(name: str, figure: float | None, aim: float, unit: str) -> Target:
    """Return a target that the figure should reach."""
    return Target(name, f"≥ {aim:,}{unit}", _figure(figure, unit), None if figure is None else figure >= aim)


def at_most(name: str, figure: float | None, aim: float, unit: str) -> Target:
    """Return a target that the figure should not exceed."""
    return Target(name, f"≤ {aim}{unit}", _figure(figure, unit), None if figure is None else figure <= aim)


def _figure(figure: float | None, unit: str) -> str:
    return "none" if figure is None else f"{figure:,.{1 if figure < 100 else 0}f}{unit}"


def name(case: Case | None) -> str:
    """Return the name of a case in tables."""
    if case is None:
        return "none"
    words = [case.workload + (" with peer" if case.with_peer else "")]
    words += [f"{case.connections} connection{'s' * (case.connections > 1)}"] * (case.connections != LOAD)
    words += ["PostgreSQL"] * (case.database != "sqlite") + [f"{case.replicas} processes"] * (case.replicas > 1)
    words += [f"{case.workers} workers"] * (case.workers > 1)
    return ", ".join(words)


def tables(figures: Figures, stack: Iterable[Target], limits: dict[str, float]) -> str:
    """Format all figures in Markdown."""
    lines = ["| target | aim | figure | met |", "|---|---|---|---|"]
    for target in (*targets(figures), *stack):
        met = {True: "yes", False: "**no**", None: "–"}[target.is_met]
        lines.append(f"| {target.name} | {target.aim} | {target.figure} | {met} |")
    lines += ["", "Requests per second, or sessions of the list per second: median (lowest–highest).", ""]
    lines += ["| workload | service | plain | original | bare server | × plain | × original | % of bare |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for case in figures.cases():
        rates = [figures.spread(case, subject) for subject in NAMES]
        ratios = [figures.ratio(case, SERVICE, other) for other in (PLAIN, ORIGINAL, BARE)]
        shown = [f"{ratio:.1f}" if ratio else "–" for ratio in ratios[:2]]
        shown.append(f"{ratios[2] * 100:.0f}" if ratios[2] else "–")
        lines.append(f"| {' | '.join([name(case), *rates, *shown])} |")
    lines += ["", "CPU time of each request in µs, and median and p99 in ms.", ""]
    lines += ["| workload | service | plain | original | bare server |", "|---|---|---|---|---|"]
    for case in figures.cases():
        costs = [_cost(figures, case, subject) for subject in NAMES]
        lines.append(f"| {' | '.join([name(case), *costs])} |")
    lines += ["", "SQLite alone, from Python, synced as the service syncs it:", ""]
    lines += [f"- {name}: {short(rate)} per second" for name, rate in limits.items()]
    return "\n".join(lines)


def _cost(figures: Figures, case: Case, subject: str) -> str:
    cpu, half, p99 = (figures.of(case, subject, field) for field in ("cpu_us", "median_ms", "p99_ms"))
    return "–" if cpu is None else f"{cpu:.{cpu < 100:d}f} · {half:.2f} / {p99:.2f}"


def short(number: float) -> str:
    """Format a rate."""
    return f"{number:,.0f}" if number < 100_000 else f"{number / 1000:,.0f}k"


def machine() -> str:
    """Describe the machine of the measurements."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    python = platform.python_version()
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return f"{os.cpu_count()} cores ({model}), which load and service share; {system}, Python {python}"


def insert(document: str, figures: str, command: str) -> str:
    """Return the document with these figures between the marks of the command that measured them."""
    begin, end = f"<!-- begin: {command} -->", f"<!-- end: {command} -->"
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{figures}\n{end}{after}"
