"""HTTP servers instead of an Admin API: they send the responses of a test, and record the requests."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

NODE = {"version": "3.9.3", "configuration": {"database": "postgres"}}
"""The relevant part of Kong's response at its root."""

Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


class _Answers(BaseHTTPRequestHandler):
    server: "AdminServer"

    def do_GET(self) -> None:
        server = self.server
        if self.path == "/":
            server.root_requests += 1
            answer: Answer = server.root
        else:
            server.requests.append(dict(self.headers) | {"path": self.path})
            answer = server.answers.pop(0) if server.answers else (200, b'{"id": "x"}')
        status, body, headers = (*answer, {})[:3]
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), "Retry-After": "30", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    do_PUT = do_PATCH = do_POST  # noqa: N815 - the base class's own
    do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Print nothing."""


class AdminServer(ThreadingHTTPServer):
    """Its root is Kong's, unless a test changes it; every other request gets the next of `answers`."""

    request_queue_size = 64
    kongs_root: Answer = (200, json.dumps(NODE).encode())

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.root = self.kongs_root
        self.root_requests = 0
        self.requests: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self._scheme = "https"

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.server_port}"

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Print nothing about clients that reject a certificate."""


@contextmanager
def serving(server: AdminServer) -> Iterator[AdminServer]:
    """Serve until the block ends."""
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def says(data: bytes) -> Iterator[str]:
    """Listen, send the same data to every client, and close the connection; without data, send nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(data)

        thread = Thread(target=answer)
        if data:
            thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    if data:
        thread.join()
