"""What `make bench-check` calls slower."""

from bench.check import slower

BASELINE = {"create": 1000, "read": 100}


def test_the_workload_that_got_slower_is_named() -> None:
    assert slower({"create": 1000, "read": 115}, BASELINE) == [
        "read takes 15% more instructions: 115 instead of 100"
    ]


def test_what_varies_from_run_to_run_is_not_slower() -> None:
    assert slower({"create": 1049, "read": 1}, BASELINE) == []


def test_a_workload_without_a_baseline_is_not_slower() -> None:
    assert slower({"delete": 5}, BASELINE) == []
