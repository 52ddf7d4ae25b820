"""The gateway's certificate on this machine, and what a client accepts."""

import base64
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from local import tls
from local.workspace import Workspace
from tests.certificates import certificate

NAME = "api.example"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tls, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Workspace]:
    """Yield the workspace of a server that presents the gateway's certificate."""
    settings = tls.gateway_settings(Workspace(stack="dev"), NAME)
    file = folder / "served.pem"
    file.write_bytes(b"\n".join(base64.b64decode(value) for value in settings.values()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Workspace(stack="dev", tls_port=server.server_port)
    server.shutdown()
    server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_certificate_is_kept_for_its_hostname(folder: Path) -> None:
    workspace = Workspace(stack="dev")
    first = tls.gateway_settings(workspace, NAME)
    assert tls.gateway_settings(workspace, NAME) == first
    assert tls.gateway_settings(Workspace(stack="pr-42", on="dev"), f"pr-42.{NAME}") == first
    both = tls.gateway_settings(workspace, "other.example")
    assert both != first
    assert tls.gateway_settings(workspace, NAME) == both
    assert (folder / "dev.key").stat().st_mode & 0o777 == 0o600


def test_a_certificate_that_expires_soon_is_renewed(folder: Path) -> None:
    workspace = Workspace(stack="dev")
    tls.gateway_settings(workspace, NAME)
    old, _ = certificate(NAME, days=(-1, tls.RENEWED_DAYS))
    (folder / "dev.pem").write_text(old)
    tls.gateway_settings(workspace, NAME)
    assert (folder / "dev.pem").read_text() != old


def test_a_client_connects_to_the_port_of_this_machine_by_the_hostname(served: Workspace) -> None:
    with tls.open_session(served, NAME) as session:
        assert session.get(served.tls_url, timeout=5).status_code == 204


def test_a_certificate_for_another_hostname_is_refused(served: Workspace) -> None:
    with tls.open_session(served, "other.example") as session, pytest.raises(requests.exceptions.SSLError):
        session.get(served.tls_url, timeout=5)
