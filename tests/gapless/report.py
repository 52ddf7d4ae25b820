"""The table of a run: what each change did to requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from tests.gapless.changes import Change
from tests.gapless.load import Sample

HEAD = (
    "| change | requests | failed | before: p50, p99 | during | after |\n"
    "|---|---:|---:|---:|---:|---:|"
)  # fmt: skip


@dataclass(frozen=True)
class Period:
    """A change, when it began and ended, and how long before and after it nothing else was changed."""

    change: Change
    began: float
    ended: float
    quiet_seconds: float


def format_table(periods: Sequence[Period], samples: Sequence[Sample]) -> str:
    """Return a row for each change, in Markdown. Its requests are those until the next change, or the end."""
    lines = [HEAD]
    for period, its_samples in zip(periods, split(periods, samples), strict=True):
        spans = (
            (period.began - period.quiet_seconds, period.began),
            (period.began, period.ended),
            (period.ended, period.ended + period.quiet_seconds),
        )
        times = [_format_times([each for each in samples if begin <= each.began < end]) for begin, end in spans]
        failed = sum(bool(each.wrong) for each in its_samples)
        lines.append(f"| {period.change.name} | {len(its_samples):,} | {failed:,} | {' | '.join(times)} |")
    failed = sum(bool(each.wrong) for each in samples)
    lines.append(f"| all | {len(samples):,} | {failed:,} | | | |")
    return "\n".join(lines)


def split(periods: Sequence[Period], samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return the samples from the begin of each change until that of the next."""
    ends = [*(period.began for period in periods[1:]), float("inf")]
    return [
        [each for each in samples if period.began <= each.began < end]
        for period, end in zip(periods, ends, strict=True)
    ]


def list_faults(periods: Sequence[Period], samples: Sequence[Sample]) -> list[str]:
    """Return each change of which more requests failed than may, with some of the reasons."""
    quiet = [each.wrong for each in samples if each.began < periods[0].began and each.wrong]
    faults = [f"before any change: {len(quiet)} failed, such as {quiet[:3]}"] if quiet else []
    for period, its_samples in zip(periods, split(periods, samples), strict=True):
        wrong = [each.wrong for each in its_samples if each.wrong]
        if period.change.may_fail is not None and len(wrong) > period.change.may_fail:
            faults.append(f"{period.change.name}: {len(wrong)} failed, such as {wrong[:3]}")
    return faults


def _format_times(samples: Sequence[Sample]) -> str:
    """Return the median and the 99th percentile of a span, in milliseconds."""
    if len(samples) < 2:
        return ""
    percentiles = quantiles((each.seconds * 1000 for each in samples), n=100)
    return f"{percentiles[49]:.0f}, {percentiles[98]:.0f} ms"
