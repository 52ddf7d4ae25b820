"""docs/performance.md's figures: medians with their spread, ratios, and what was aimed at."""

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.results import LOAD, Results, Row, Sample
from bench.subjects import BARE, ORIGINAL, PLAIN, SERVICE

NAMES = {SERVICE: "service", PLAIN: "plain", ORIGINAL: "original", BARE: "bare server"}
_MIB = 1 << 20
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"


@dataclass(frozen=True)
class Figures:
    """The medians of the runs of one row; a row with a run that failed has none."""

    results: Results

    def of(self, row: Row, subject: str, field: str = "rate") -> float | None:
        values = self._values(row, subject, field)
        return median(values) if values else None

    def spread(self, row: Row, subject: str) -> str:
        """Format the median, lowest and highest rate; or that it failed; or that there is none."""
        if (row, subject) not in self.results:
            return "–"
        values = self._values(row, subject, "rate")
        return f"{short(median(values))} ({short(min(values))}–{short(max(values))})" if values else "failed"

    def ratio(self, row: Row, subject: str, other: str) -> float | None:
        mine, others = self.of(row, subject), self.of(row, other)
        return mine / others if mine and others else None

    def rows(self) -> list[Row]:
        return list(dict.fromkeys(row for row, _ in self.results))

    def _values(self, row: Row, subject: str, field: str) -> list[float]:
        samples = self.results.get((row, subject), [])
        if any(isinstance(sample, str) for sample in samples):
            return []
        return [getattr(sample, field) for sample in samples if isinstance(sample, Sample)]


@dataclass(frozen=True)
class Target:
    """What was aimed at, and what came of it."""

    name: str
    aim: str
    figure: str
    is_met: bool | None


def targets(figures: Figures) -> Iterator[Target]:
    """Each target with its figure."""
    for row, aim in (
        (Row(workload="create", with_peer=True), 12),
        (Row(workload="create"), 20),
        (Row(workload="read"), 8),
        (Row(workload="update"), 8),
    ):
        yield at_least(f"{name(row)}, against the original shape", figures.ratio(row, SERVICE, ORIGINAL), aim, "×")
    bare = figures.ratio(Row(workload="read"), SERVICE, BARE)
    yield at_least("read, of the bare server", bare and bare * 100, 40, " %")
    first, deep = (figures.of(Row(workload=f"{page} page"), SERVICE, "cpu_us") for page in ("first", "deep"))
    yield at_most(
        "CPU time of page 10,000 against page 1", first and deep and max(first / deep, deep / first), 1.3, "×"
    )
    peak = figures.of(Row(workload="list", connections=1), SERVICE, "peak_bytes")
    yield at_most("memory of a list of 1,000,000 above idle", peak if peak is None else peak / _MIB, 64, " MiB")
    yield _tail(figures)
    yield _against_plain(figures)
    yield _client(figures)


def _tail(figures: Figures) -> Target:
    tails: list[tuple[float, Row | None]] = [(0, None)]
    for row in figures.rows():
        half, p99 = (figures.of(row, SERVICE, field) for field in ("median_ms", "p99_ms"))
        if row.connections > 1 and half and p99:
            tails.append((p99 / half, row))
    worst, slowest = max(tails, key=lambda one: one[0])
    return at_most(f"p99 against median under load, worst row ({name(slowest)})", worst or None, 4, "×")


def _against_plain(figures: Figures) -> Target:
    ratios = [(ratio, row) for row in figures.rows() if (ratio := figures.ratio(row, SERVICE, PLAIN))]
    worst, row = min(ratios, key=lambda one: one[0], default=(None, None))
    return at_least(f"against the plain good service, worst row ({name(row)})", worst, 3, "×")


def _client(figures: Figures) -> Target:
    costs = [[figures.of(row, BARE, field) for field in ("client_cpu_us", "cpu_us")] for row in figures.rows()]
    shares = [client / server for client, server in costs if client and server]
    return at_most("CPU time of wrk against the bare server's, worst row", max(shares, default=None), 1, "×")


def at_least(name: str, figure: float | None, aim: float, unit: str) -> Target:
    """Return a target that the figure should reach."""
    return Target(name, f"≥ {aim}{unit}", _figure(figure, unit), None if figure is None else figure >= aim)


def at_most(name: str, figure: float | None, aim: float, unit: str) -> Target:
    """Return a target that the figure should not exceed."""
    return Target(name, f"≤ {aim}{unit}", _figure(figure, unit), None if figure is None else figure <= aim)


def _figure(figure: float | None, unit: str) -> str:
    return "none" if figure is None else f"{figure:.{1 if figure < 100 else 0}f}{unit}"


def name(row: Row | None) -> str:
    """Return what a row is called in tables."""
    if row is None:
        return "none"
    words = [row.workload + (" with peer" if row.with_peer else "")]
    words += [f"{row.connections} connection{'s' * (row.connections > 1)}"] * (row.connections != LOAD)
    words += ["PostgreSQL"] * (row.database != "sqlite") + ["two processes"] * (row.replicas > 1)
    return ", ".join(words)


def tables(figures: Figures, stack: Iterable[Target], limits: dict[str, float]) -> str:
    """All figures as Markdown."""
    lines = ["| target | aim | figure | met |", "|---|---|---|---|"]
    for target in (*targets(figures), *stack):
        met = {True: "yes", False: "**no**", None: "–"}[target.is_met]
        lines.append(f"| {target.name} | {target.aim} | {target.figure} | {met} |")
    lines += ["", "Requests a second, or sessions of the list a second: median (lowest–highest).", ""]
    lines += ["| workload | service | plain | original | bare server | × plain | × original | % of bare |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for row in figures.rows():
        rates = [figures.spread(row, subject) for subject in NAMES]
        ratios = [figures.ratio(row, SERVICE, other) for other in (PLAIN, ORIGINAL, BARE)]
        shown = [f"{ratio:.1f}" if ratio else "–" for ratio in ratios[:2]]
        shown.append(f"{ratios[2] * 100:.0f}" if ratios[2] else "–")
        lines.append(f"| {' | '.join([name(row), *rates, *shown])} |")
    lines += ["", "CPU time of each request in µs, and median and p99 in ms.", ""]
    lines += ["| workload | service | plain | original | bare server |", "|---|---|---|---|---|"]
    for row in figures.rows():
        costs = [_cost(figures, row, subject) for subject in NAMES]
        lines.append(f"| {' | '.join([name(row), *costs])} |")
    lines += ["", "SQLite alone, from Python, synced as the service syncs it:", ""]
    lines += [f"- {name}: {short(rate)} a second" for name, rate in limits.items()]
    return "\n".join(lines)


def _cost(figures: Figures, row: Row, subject: str) -> str:
    cpu, half, p99 = (figures.of(row, subject, field) for field in ("cpu_us", "median_ms", "p99_ms"))
    return "–" if cpu is None else f"{cpu:.{cpu < 100:d}f} · {half:.2f} / {p99:.2f}"


def short(number: float) -> str:
    """Format a rate."""
    return f"{number:,.0f}" if number < 100_000 else f"{number / 1000:,.0f}k"


def machine() -> str:
    """Describe the machine that it was measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    python = platform.python_version()
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return f"{os.cpu_count()} cores ({model}), which load and service share; {system}, Python {python}"


def insert(document: str, figures: str) -> str:
    """Return the document with these figures between its marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"
