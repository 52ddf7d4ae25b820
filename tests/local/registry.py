"""Registries on loopback from which no image can be pulled."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

LIMIT = "You have reached your unauthenticated pull rate limit."
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_BROKEN = {
    "schemaVersion": 2,
    "mediaType": _MANIFEST,
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": 2,
        "digest": f"sha256:{'0' * 64}",
    },
    "layers": [],
}


@contextmanager
def registry(kind: Literal["limited", "broken", "silent"]) -> Iterator[str]:
    """Yield `HOST:PORT` of a registry with an exceeded rate limit, with a broken image, or that never answers."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if kind == "silent":
                done.wait()
            elif self.path == "/v2/":
                self._answer(200, {})
            elif kind == "limited":
                self._answer(429, {"errors": [{"code": "TOOMANYREQUESTS", "message": LIMIT}]})
            else:
                self._answer(200, _BROKEN if "/manifests/" in self.path else {})

        do_HEAD = do_GET  # noqa: N815 - the server's name for it

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", _MANIFEST if content is _BROKEN else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        done.set()
        server.shutdown()
        server.server_close()
