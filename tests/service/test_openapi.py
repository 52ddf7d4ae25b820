"""The OpenAPI document: committed with the code, and true to what is sent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.service.fuzz import fuzz
from tests.service.processes import Service, running

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "openapi.json").read_text())


def test_the_committed_document_is_current() -> None:
    printed = subprocess.run([sys.executable, "-m", "service.openapi"], cwd=ROOT, capture_output=True, check=True)
    assert printed.stdout == (ROOT / "openapi.json").read_bytes()


@pytest.mark.parametrize(
    ("method", "path", "status", "request_"),
    [
        ("post", "/sessions", 422, {"path": "/sessions", "json": {}}),
        ("get", "/sessions", 422, {"path": "/sessions?after=-1"}),
        ("get", "/sessions/{sessionId}", 422, {"path": "/sessions/x"}),
        ("delete", "/sessions/{sessionId}", 404, {"path": "/sessions/1"}),
        ("put", "/sessions/{sessionId}", 415, {"path": "/sessions/1", "data": "text"}),
        ("get", "/sessions/{sessionId}/context", 404, {"path": "/sessions/1/context"}),
    ],
)
def test_an_error_equals_its_example(
    service: Service, method: str, path: str, status: int, request_: dict[str, Any]
) -> None:
    content = DOCUMENT["paths"][path][method]["responses"][str(status)]["content"]["application/problem+json"]
    answer = service.request(method, **request_).json()
    assert answer in [example["value"] for example in content["examples"].values()]


def test_every_error_has_an_example() -> None:
    errors = [
        content
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for kind, content in response.get("content", {}).items()
        if kind == "application/problem+json"
    ]
    assert errors
    assert all(content["examples"] for content in errors)


def test_the_document_declares_the_key_that_the_gateway_expects(tmp_path: Path) -> None:
    assert "security" not in DOCUMENT
    with running(Service(tmp_path, api_key_header="apikey")) as service:
        document = service.request("GET", "/openapi.json").json()
    assert document["security"] == [{"apiKey": []}]
    scheme = {"type": "apiKey", "in": "header", "name": "apikey"}
    assert document["components"]["securitySchemes"] == {"apiKey": scheme}


def test_fuzzing_finds_nothing_that_the_document_does_not_allow(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        cases, failures = fuzz(service, 300)
    assert not failures
    assert cases >= 300
