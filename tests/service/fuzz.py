"""Schemathesis with all its checks against a real service: `python -m tests.service.fuzz CASES DATABASE`."""

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_ROOT = Path(__file__).parents[2]
_EXAMPLES_PER_ROUND = 300


def fuzz(service: Service, cases: int) -> tuple[int, str]:
    """Run at least this many cases, unless one fails; return their number, and the failures."""
    done = 0
    while done < cases:
        # Each example yields some 13 cases: for each operation, and for sequences of them.
        examples = max(1, min(_EXAMPLES_PER_ROUND, (cases - done) // 13))
        count, failures = _run_round(service, examples)
        done += count
        print(f"{done} cases", flush=True)
        if failures:
            return done, failures
    return done, ""


def _run_round(service: Service, examples: int) -> tuple[int, str]:
    command = ["--config-file", str(_CONFIG), "run", f"{service.url}/openapi.json"]
    options = ["--checks", "all", "--max-examples", str(examples), "--generation-database", "none", "--no-color"]
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [f"{sys.prefix}/bin/schemathesis", *command, *options],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.service.fuzz_hooks", "PYTHONPATH": str(_ROOT)},
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    count = re.search(r"(\d+) generated", ended.stdout)
    return int(count[1]) if count else 0, ended.stdout + ended.stderr if ended.returncode else ""


def main(cases: int, database: str) -> int:
    """Fuzz a service with an empty database, sqlite or postgresql; return 1 if a check failed."""
    begin = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {}
        if database == "postgresql":
            server = Postgresql()
            stack.callback(server.remove)
            settings["database_url"] = server.new_database()
        service = stack.enter_context(running(Service(folder, **settings)))
        done, failures = fuzz(service, cases)
    print(failures or f"{done} cases on {database}, nothing found, {(time.monotonic() - begin) / 60:.0f} min")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
