"""The table and the verdict of a run."""

from tests.gapless.changes import Change
from tests.gapless.load import Sample
from tests.gapless.report import Period, format_table, list_faults

SAMPLES = [Sample(at / 10, 0.004, "") for at in range(400)]
UPDATE, LOSS = Change("update", 0, list), Change("node cut off", 2, list)
PERIODS = [Period(UPDATE, 10, 15, 5), Period(LOSS, 20, 30, 5)]


def failing(*moments: float) -> list[Sample]:
    return [*SAMPLES, *(Sample(moment, 1, "GET 503") for moment in moments)]


def test_a_row_has_the_requests_of_a_change_until_the_next_one() -> None:
    shown = format_table(PERIODS, failing(25)).splitlines()[2:]
    assert shown == [
        "| update | 100 | 0 | 4, 4 ms | 4, 4 ms | 4, 4 ms |",
        "| node cut off | 201 | 1 | 4, 4 ms | 4, 980 ms | 4, 4 ms |",
        "| all | 401 | 1 | | | |",
    ]


def test_a_failure_in_or_after_a_planned_change_is_a_fault() -> None:
    assert list_faults(PERIODS, SAMPLES) == []
    for moment in (12, 18):
        assert list_faults(PERIODS, failing(moment)) == ["update: 1 failed, such as ['GET 503']"]


def test_so_many_failures_as_a_loss_may_cause_are_no_fault() -> None:
    assert list_faults(PERIODS, failing(25, 25)) == []
    assert list_faults(PERIODS, failing(25, 25, 25)) == [
        "node cut off: 3 failed, such as ['GET 503', 'GET 503', 'GET 503']"
    ]


def test_a_failure_before_any_change_is_a_fault() -> None:
    assert list_faults(PERIODS, failing(1)) == ["before any change: 1 failed, such as ['GET 503']"]
