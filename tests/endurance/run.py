"""`python -m tests.endurance.run ROUNDS`: kills and power cuts, with a table of what they lost."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.endurance.kill import kill_round
from tests.endurance.ledger import Ledger
from tests.endurance.power import cut_the_power, record

_ROUNDS = 100
_ROUNDS_FOR_ONE_CUT_RUN = 10
_CUTS = 300
_ANSWERS_BEFORE_A_CUT = 2_000


def main(rounds: int) -> int:
    """Run all rounds; return 0 if nothing was lost."""
    with tempfile.TemporaryDirectory() as folder:
        faults = _kill(Path(folder), rounds)
    for _ in range(max(1, rounds // _ROUNDS_FOR_ONE_CUT_RUN)):
        with tempfile.TemporaryDirectory() as folder:
            faults += _cut(Path(folder))
    print(f"{len(faults)} faults")
    return int(bool(faults))


def _kill(folder: Path, rounds: int) -> list[str]:
    ledger, faults = Ledger(), []
    print(f"{'kill -9':>8} {'after':>8} {'answered':>9} {'sessions':>9} {'faults':>7}")
    for number in range(1, rounds + 1):
        done = asyncio.run(kill_round(folder, ledger, number))
        faults += done.faults
        row = f"{number:>8} {done.killed_after:>6.2f} s {done.answers:>9,} {done.sessions:>9,}"
        print(row, f"{len(done.faults):>7}", *done.faults[:5], sep="\n    " if done.faults else " ", flush=True)
    print(f"{'all':>8} {'':>8} {ledger.answers:>9,} {len(ledger.created):>9,} {len(faults):>7}")
    return faults


def _cut(folder: Path) -> list[str]:
    calls, ledger = asyncio.run(record(folder, _ANSWERS_BEFORE_A_CUT))
    cuts = cut_the_power(calls, folder, ledger, _CUTS)
    print(
        f"power cuts: {cuts.cuts} moments, 3 disks each; {cuts.answers:,} answered writes, {cuts.syncs:,} syncs, "
        f"WAL begun {cuts.wal_begun} times, {len(cuts.faults)} faults",
        *cuts.faults[:5],
        sep="\n    " if cuts.faults else "",
        flush=True,
    )
    return cuts.faults


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS))
