"""What is printed if no Docker engine answers."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.workspace import ROOT

START = """
from local import docker_engine
from local.workspace import LocalError
try:
    docker_engine.start()
except LocalError as error:
    print(error)
"""


def read_error(folder: Path, **variables: str) -> str:
    """Return the message on a machine whose Docker context names an engine that is down."""
    docker = folder / "docker"
    docker.write_text("#!/bin/sh\necho unix:///of/the/context/docker.sock\n")
    docker.chmod(0o755)
    command, given = [sys.executable, "-c", START], {"PATH": str(folder)} | variables
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True).stdout


def test_an_engine_of_the_context_that_is_down_is_reported_with_its_host(tmp_path: Path) -> None:
    error = read_error(tmp_path)
    assert "answers at unix:///of/the/context/docker.sock, the host of Docker's current context" in error
    assert "DOCKER_HOST" not in error


@pytest.mark.parametrize("host", ["unix:///mine/docker.sock", "ssh://nobody@127.0.0.1:9"])
def test_a_docker_host_that_is_down_can_be_unset(tmp_path: Path, host: str) -> None:
    error = read_error(tmp_path, DOCKER_HOST=host)
    assert f"no Docker engine answers at {host}" in error
    assert "unset DOCKER_HOST" in error


class OldEngine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.40", "MinAPIVersion": "1.12", "Version": "19.03.15"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def old_engine() -> Iterator[str]:
    """Yield the host of an engine that says that it is of 2019."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OldEngine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_engine_that_is_too_old_is_reported_with_its_version(tmp_path: Path, old_engine: str) -> None:
    error = read_error(tmp_path, DOCKER_HOST=old_engine)
    assert "Docker 19.03.15 is too old: 20.10 or later is needed" in error
