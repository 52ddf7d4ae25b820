"""A short run of the endurance harness, and proof that it can fail."""

import asyncio
from pathlib import Path

import pytest

from tests.endurance.kill import kill_round
from tests.endurance.ledger import Ledger
from tests.endurance.power import Outcome, cut_the_power, record

BROKEN = "tests.endurance.broken"
ANSWERS = 1000


def test_a_kill_loses_no_acknowledged_write(tmp_path: Path) -> None:
    ledger = Ledger()
    for number in range(20):
        done = asyncio.run(kill_round(tmp_path, ledger, number))
        assert done.faults == []
        if number and ledger.answers > 50:
            return
    pytest.fail("hardly a write was answered before each kill")


def test_a_power_cut_loses_no_acknowledged_write(tmp_path: Path) -> None:
    outcome = _cut(tmp_path, "service", cuts=40)
    assert outcome.faults == []
    assert outcome.cuts == 40
    assert outcome.answers >= ANSWERS


def test_the_harness_detects_a_database_that_does_not_sync(tmp_path: Path) -> None:
    outcome = _cut(tmp_path, f"{BROKEN}.does_not_sync", cuts=10)
    assert any("lost" in fault for fault in outcome.faults)


def test_the_harness_detects_an_answer_before_the_commit_in_a_power_cut(tmp_path: Path) -> None:
    outcome = _cut(tmp_path, f"{BROKEN}.answers_early", cuts=20)
    assert any("lost" in fault for fault in outcome.faults)


def test_the_harness_detects_an_answer_before_the_commit_in_a_kill(tmp_path: Path) -> None:
    ledger = Ledger()
    module = f"{BROKEN}.answers_early"
    assert any(asyncio.run(kill_round(tmp_path, ledger, number, module)).faults for number in range(10))


def _cut(folder: Path, module: str, cuts: int) -> Outcome:
    calls, ledger = asyncio.run(record(folder, ANSWERS, module))
    return cut_the_power(calls, folder, ledger, cuts)
