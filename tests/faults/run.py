"""The full matrix: every cell of `tests/faults/cells.py`, and random sequences, with a table of the results.

`python -m tests.faults.run [WORDS]` runs those whose name has the words. An interrupted run is resumed: what
it found is kept until all have been run.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from hypothesis.errors import HypothesisException

from local import docker_engine
from local.workspace import ROOT
from tests.faults import sequences
from tests.faults.cells import CELLS, STEPS, WAYS, Cell, CellError
from tests.faults.deployment import Deployment

KEPT = ROOT / ".local" / "faults.json"
TABLE = ROOT / ".local" / "faults.md"
LOGS = ROOT / ".local" / "log"
LANES = int(os.environ.get("JOBS") or 2)
SEQUENCES = int(os.environ.get("SEQUENCES") or 12)
STEPS_OF_ONE = 8
FAILURES = (CellError, AssertionError, subprocess.SubprocessError, requests.RequestException, HypothesisException)


def _sequences(deployment: Deployment) -> None:
    sequences.run(deployment, sequences=SEQUENCES, steps=STEPS_OF_ONE, derandomize=False)


JOBS: dict[str, Callable[[Deployment], None]] = {name: cell.run for name, cell in CELLS.items()}
JOBS["random sequences"] = _sequences


class Matrix:
    """The result of each cell: empty if it passed, else the error."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self.found: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}

    def note(self, job: str, wrong: str, seconds: float) -> None:
        with self._lock:
            self.found[job] = wrong.partition("\n")[0]
            self._kept.write_text(json.dumps(self.found, indent=1))
            print(f"{'FAILED' if wrong else 'passed'}  {job}  ({seconds:.0f} s)", flush=True)
            if wrong:
                (LOGS / f"fault {job}.log".replace(" ", "-")).write_text(wrong)

    def table(self) -> str:
        """Format the results in Markdown: a row for each call, a column for each way."""
        lines = [f"| call | {' | '.join(WAYS)} |", f"|---{'|---' * len(WAYS)}|"]
        rows = {step.name: [self._word(Cell(step, way).name) for way in WAYS] for step in STEPS}
        lines += [f"| {name} | {' | '.join(words)} |" for name, words in rows.items()]
        lines.append(
            f"\nRandom sequences of up, edit, drift, refresh and destroy: {self._word('random sequences')}"
        )
        failed = {job: wrong for job, wrong in self.found.items() if wrong}
        lines.append(f"\n{len(self.found.keys() & CELLS)} of {len(CELLS)} cells run, {len(failed)} failed.")
        lines += [f"- {job}: {wrong}" for job, wrong in failed.items()]
        return "\n".join(lines)

    def _word(self, job: str) -> str:
        if job not in self.found:
            return "not run"
        return "FAILED" if self.found[job] else "converged"


def _lane(jobs: "queue.SimpleQueue[str]", matrix: Matrix) -> None:
    deployment: Deployment | None = None
    with contextlib.suppress(queue.Empty):
        while job := jobs.get_nowait():
            started = time.monotonic()
            wrong = ""
            try:
                deployment = deployment or Deployment.empty()
                JOBS[job](deployment)
            except FAILURES as error:
                wrong = f"{error or repr(error)}\n\n{''.join(traceback.format_exception(error))}"
            matrix.note(job, wrong, time.monotonic() - started)
            if wrong and deployment is not None:
                deployment.abandon()
                deployment = None
    if deployment is not None:
        assert deployment.close() == []


def main() -> int:
    """Run the cells; return 1 if one failed."""
    words = " ".join(sys.argv[1:]).lower()
    LOGS.mkdir(parents=True, exist_ok=True)
    docker_engine.start().close()
    matrix = Matrix(KEPT)
    wanted = [job for job in JOBS if words in job.lower() and (words or matrix.found.get(job) != "")]
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    for job in wanted:
        jobs.put(job)
    with ThreadPoolExecutor(LANES) as pool:
        lanes = [pool.submit(_lane, jobs, matrix) for _ in range(LANES)]
    TABLE.write_text(matrix.table() + "\n")
    print(matrix.table())
    if matrix.found.keys() >= JOBS.keys():
        KEPT.unlink()
    for lane in lanes:
        lane.result()
    return int(any(matrix.found.get(job, "not run") for job in wanted))


if __name__ == "__main__":
    sys.exit(main())
