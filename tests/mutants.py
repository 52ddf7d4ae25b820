"""`make mutants` changes the code in small ways, one at a time, and reports the changes that no test notices."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from infra.paths import ROOT

MUTMUT = str(Path(sys.executable).parent / "mutmut")
NOTICED = ("killed", "timeout", "segfault")
IN_FULL, SAMPLED = "service.", "infra.kong."


def run(*names: str) -> None:
    """Test the mutants of these names. One at a time, since two could choose the same port."""
    subprocess.run([MUTMUT, "run", "--max-children", "1", *names], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def results() -> Iterator[tuple[str, str]]:
    """Return the name and the result of each mutant."""
    command = [MUTMUT, "results", "--all", "true"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for line in lines:
        name, _, result = line.strip().partition(": ")
        yield name, result


def report(tested: Collection[str]) -> None:
    """Print what was not noticed, and the share that was, by module."""
    total, noticed = Counter[str](), Counter[str]()
    for name, result in results():
        if name not in tested:
            continue
        package = IN_FULL if name.startswith(IN_FULL) else SAMPLED
        module = name.rpartition(".")[0]
        for group in (package, module):
            total[group] += 1
            noticed[group] += result in NOTICED
        if result not in NOTICED:
            print(f"{result}: mutmut show {name}")
    for group in sorted(total):
        share = noticed[group] / total[group]
        print(f"{share:6.1%} of {total[group]:4} mutants of {group.rstrip('.')} were noticed")


def main(sample: int, seed: int) -> None:
    """Test all mutants of the service's modules, and a sample of those of the Kong provider; 0 is all."""
    run(f"{IN_FULL}*")  # which also generates the others
    names = sorted(name for name, _ in results())
    provider = [name for name in names if name.startswith(SAMPLED)]
    chosen = random.Random(seed).sample(provider, sample or len(provider))  # noqa: S311 - no secret
    run(*chosen)
    report({*chosen, *(name for name in names if name.startswith(IN_FULL))})


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
