"""The OpenAPI document: kept with the code, and true to the wire."""

from pathlib import Path

from service.openapi import document
from tests.service.fuzz import fuzz
from tests.service.processes import Service, running


def test_the_kept_document_is_that_of_the_code() -> None:
    assert (Path(__file__).parents[2] / "openapi.json").read_text(encoding="utf-8") == document()


def test_nothing_is_found_that_the_document_does_not_say(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        cases, failures = fuzz(service, 300)
    assert not failures
    assert cases >= 300
