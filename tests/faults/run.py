"""The full matrix: every cell of `tests/faults/cells.py`, then random sequences; a table is its result.

`python -m tests.faults.run [WORDS]` runs the cells whose name has the words. An interrupted run is gone on with:
what it found is kept until every cell has been run.
"""

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path

from local.machine import ROOT
from tests.faults.cells import CELLS, STEPS, WAYS, Cell, CellError
from tests.faults.deployment import Deployment

KEPT = ROOT / ".local" / "faults.json"
TABLE = ROOT / ".local" / "faults.md"
LOGS = ROOT / ".local" / "log"
LANES = int(os.environ.get("JOBS") or 2)


class Matrix:
    """What is known of each cell: empty when it passed, else what went wrong."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self.found: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}

    def note(self, cell: Cell, wrong: str, seconds: float) -> None:
        with self._lock:
            self.found[cell.name] = wrong.partition("\n")[0]
            self._kept.write_text(json.dumps(self.found, indent=1))
            print(f"{'FAILED' if wrong else 'passed'}  {cell.name}  ({seconds:.0f} s)", flush=True)
            if wrong:
                (LOGS / f"fault {cell.name}.log".replace(" ", "-")).write_text(wrong)

    def note_end(self, left: list[str]) -> None:
        """What `make down` leaves of a lane."""
        if left:
            self.found["make down"] = f"leaves {', '.join(left)}"

    def table(self) -> str:
        """A Markdown table: a row for each call, a column for each way."""
        lines = [f"| call | {' | '.join(WAYS)} |", f"|---{'|---' * len(WAYS)}|"]
        for step in STEPS:
            words = [self._word(Cell(step, way)) for way in WAYS]
            lines.append(f"| {step.name} | {' | '.join(words)} |")
        failed = {name: wrong for name, wrong in self.found.items() if wrong}
        lines.append(f"\n{len(self.found)} of {len(CELLS)} cells run, {len(failed)} failed.")
        lines += [f"- {name}: {wrong}" for name, wrong in failed.items()]
        return "\n".join(lines)

    def _word(self, cell: Cell) -> str:
        if cell.name not in self.found:
            return ""
        return "FAILED" if self.found[cell.name] else "converged"


def _lane(cells: "queue.SimpleQueue[Cell]", matrix: Matrix) -> None:
    deployment: Deployment | None = None
    while not cells.empty():
        cell = cells.get()
        begun = time.monotonic()
        wrong = ""
        try:
            if deployment is None:
                deployment = Deployment.empty()
            cell.run(deployment)
        except (CellError, AssertionError) as error:
            wrong = str(error) or repr(error)
        matrix.note(cell, wrong, time.monotonic() - begun)
        if wrong and deployment is not None:
            deployment.abandon()
            deployment = None
    if deployment is not None:
        matrix.note_end(deployment.close())


def main() -> int:
    """Run what is to be run; 1 when a cell failed."""
    words = " ".join(sys.argv[1:]).lower()
    LOGS.mkdir(parents=True, exist_ok=True)
    matrix = Matrix(KEPT)
    wanted = [cell for cell in CELLS.values() if words in cell.name.lower()]
    cells: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in wanted:
        if words or matrix.found.get(cell.name) != "":
            cells.put(cell)
    lanes = [threading.Thread(target=_lane, args=(cells, matrix)) for _ in range(LANES)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    TABLE.write_text(matrix.table() + "\n")
    print(matrix.table())
    if len(matrix.found) == len(CELLS):
        KEPT.unlink()
    return int(any(matrix.found.values()))


if __name__ == "__main__":
    sys.exit(main())
