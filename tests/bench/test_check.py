"""What `make bench-check` reports as slower."""

from bench.check import slower

BASELINE = {"create": 1000, "read": 100}


def test_a_slower_workload_is_named() -> None:
    assert slower({"create": 1000, "read": 115}, BASELINE) == [
        "read takes 15% more instructions: 115 instead of 100"
    ]


def test_usual_variation_is_not_slower() -> None:
    assert slower({"create": 1049, "read": 1}, BASELINE) == []


def test_a_workload_without_a_baseline_is_not_slower() -> None:
    assert slower({"delete": 5}, BASELINE) == []
