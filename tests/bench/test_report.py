"""The figures of the runs: medians, ratios, and whether each target is met."""

import pytest

from bench.report import Figures, at_most, insert, tables, targets
from bench.results import Case, Results, Sample
from bench.subjects import BARE, ORIGINAL, PLAIN, SERVICE

READ = Case(workload="read")


def sample(rate: float, *, p99_ms: float = 2, peak_bytes: int = 0) -> Sample:
    return Sample(rate=rate, median_ms=1, p99_ms=p99_ms, cpu_us=10, peak_bytes=peak_bytes)


def results() -> Results:
    return {
        (READ, SERVICE): [sample(900), sample(100), sample(1000)],
        (READ, PLAIN): [sample(300)],
        (READ, ORIGINAL): [sample(100)],
        (READ, BARE): [sample(2000)],
    }


def met(figures: Figures, name: str) -> bool | None:
    return next(target.is_met for target in targets(figures) if name in target.name)


def test_a_figure_is_the_median_with_the_lowest_and_the_highest() -> None:
    figures = Figures(results())
    assert figures.spread(READ, SERVICE) == "900 (100–1,000)"
    assert figures.ratio(READ, SERVICE, PLAIN) == 3


def test_a_case_with_one_failed_run_has_no_figure() -> None:
    failed = results()
    failed[READ, SERVICE].append("3 of 900 requests failed")
    figures = Figures(failed)
    assert figures.spread(READ, SERVICE) == "failed"
    assert figures.ratio(READ, SERVICE, PLAIN) is None
    assert met(figures, "read, against the original") is None


@pytest.mark.parametrize(("plain", "is_met"), [(300, True), (301, False)])
def test_a_target_is_met_from_its_aim(plain: float, is_met: bool) -> None:
    figures = Figures(results() | {(READ, PLAIN): [sample(plain)]})
    assert met(figures, "against the plain good service, worst case (read)") is is_met


def test_the_worst_case_under_load_counts() -> None:
    alone = Case(workload="read", connections=1)
    more = results()
    more[alone, SERVICE] = [sample(1, p99_ms=100)]
    more[Case(workload="mix"), SERVICE] = [sample(1, p99_ms=5)]
    assert met(Figures(results()), "p99") is True
    assert met(Figures(more), "worst case (mix)") is False


def test_memory_is_compared_with_64_mib() -> None:
    listed = Case(workload="list", connections=1)
    for mib, is_met in ((64, True), (65, False)):
        figures = Figures({(listed, SERVICE): [sample(1, peak_bytes=mib << 20)]})
        assert met(figures, "memory of a list") is is_met


@pytest.mark.parametrize(("rate", "is_met"), [(1530, True), (1529, False)])
def test_two_workers_are_compared_with_one(rate: float, is_met: bool) -> None:
    figures = Figures(results() | {(Case(workload="read", workers=2), SERVICE): [sample(rate)]})
    assert met(figures, "read, 2 workers, of one's") is is_met


def test_every_case_is_in_the_tables() -> None:
    cases = [
        READ,
        Case(workload="create", with_peer=True, replicas=2),
        Case(workload="update", database="postgresql"),
    ]
    text = tables(
        Figures({(case, SERVICE): [sample(5)] for case in cases}), [at_most("an up", 3, 2, "×")], {"reads": 7.0}
    )
    assert "| an up | ≤ 2× | 3.0× | **no** |" in text
    for name in (
        "| read |",
        "| create with peer, 2 processes |",
        "| update, PostgreSQL |",
        "- reads: 7 per second",
    ):
        assert name in text


def test_the_document_keeps_the_text_around_its_figures() -> None:
    document = "before\n<!-- begin: make bench -->\n{}\n<!-- end: make bench -->\nafter\n"
    assert insert(document.format("old"), "new", "make bench") == document.format("new")


@pytest.mark.parametrize(("cpu_us", "is_met"), [(13, True), (14, False), (7, False)])
def test_pages_are_compared_by_their_cpu_time(cpu_us: float, is_met: bool) -> None:
    first = Sample(rate=1, median_ms=1, p99_ms=1, cpu_us=10)
    deep = Sample(rate=9, median_ms=1, p99_ms=1, cpu_us=cpu_us)
    figures = Figures(
        {(Case(workload="first page"), SERVICE): [first], (Case(workload="deep page"), SERVICE): [deep]}
    )
    assert met(figures, "page 10,000") is is_met
