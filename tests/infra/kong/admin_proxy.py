"""A TLS proxy in front of an Admin API, which demands what companies demand there."""

import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import requests

from tests.certificates import certificate


class AdminProxy(ThreadingHTTPServer):
    """Forwards requests that have what is demanded. Its own certificate is its CA."""

    def __init__(self, admin: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.admin = admin
        self.prefix = ""
        """The path before the Admin API's own, such as /team-a."""
        self.headers: dict[str, str] = {}
        """Headers that each request must have."""
        self.challenge = ""
        """What a rejection asks for in WWW-Authenticate."""
        self.delay = 0.0
        """Seconds before each response."""
        self.ca_file = folder / "ca.pem"
        own = folder / "proxy.pem"
        pem, key = certificate("localhost")
        self.ca_file.write_text(pem)
        own.write_text(pem + key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(own)
        self.socket = self._context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def ca(self) -> str:
        return self.ca_file.read_text()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}{self.prefix}"

    def demand_client_certificate(self, issuer: str) -> None:
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(cadata=issuer)

    def demand_user(self, user: str, password: str) -> None:
        pair = b64encode(f"{user}:{password}".encode()).decode()
        self.headers["Authorization"] = f"Basic {pair}"
        self.challenge = 'Basic realm="admin"'

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Print nothing about clients that fail the handshake."""

    @contextmanager
    def serving(self) -> Iterator["AdminProxy"]:
        thread = Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Forward(BaseHTTPRequestHandler):
    server: AdminProxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay)
        if any(self.headers[name] != value for name, value in self.server.headers.items()):
            self._answer(401, b'{"message": "Unauthorized"}')
        elif not self.path.startswith(f"{self.server.prefix}/"):
            self._answer(404, b"<html>")
        else:
            path = self.path.removeprefix(self.server.prefix)
            kept = {"Content-Type": "application/json"} if body else {}
            answer = requests.request(self.command, self.server.admin + path, data=body, headers=kept, timeout=10)
            self._answer(answer.status_code, answer.content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's own

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        if status == requests.codes.unauthorized and self.server.challenge:
            self.send_header("WWW-Authenticate", self.server.challenge)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Print nothing."""
