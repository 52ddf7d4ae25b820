"""The OpenAPI document: kept with the code, and true to the wire."""

import subprocess
import sys
from pathlib import Path

from tests.service.fuzz import fuzz
from tests.service.processes import Service, running


def test_the_kept_document_is_that_of_the_code() -> None:
    root = Path(__file__).parents[2]
    printed = subprocess.run([sys.executable, "-m", "service.openapi"], cwd=root, capture_output=True, check=True)
    assert printed.stdout == (root / "openapi.json").read_bytes()


def test_nothing_is_found_that_the_document_does_not_say(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        cases, failures = fuzz(service, 300)
    assert not failures
    assert cases >= 300
