"""A real gateway process, and real upstream servers whose responses depend on the path."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.ports import free_port
from tests.waiting import wait_for

Json = Any  # what JSON, a header or an option may be
ROOT = Path(__file__).parents[2]
NO_ONE = "00000000-0000-4000-8000-000000000000"


class Gateway:
    """A gateway process and its two addresses; by default it applies changes at once."""

    def __init__(self, *options: str) -> None:
        admin, self.proxy_port = free_port(), free_port()
        self.admin, self.proxy = f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{self.proxy_port}"
        command = [sys.executable, "-m", "offline.gateway", "--host", "127.0.0.1"]
        command += ["--worker-state-update-frequency", "0"]
        ports = ["--admin-port", str(admin), "--proxy-port", str(self.proxy_port)]
        self.process = subprocess.Popen([*command, *ports, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self.http = requests.Session()
        wait_for(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the gateway did not start"
        with contextlib.suppress(requests.ConnectionError):
            return self.http.get(f"{self.admin}/status", timeout=5).ok
        return False

    def call(self, method: str, path: str, body: Json = None, **more: Json) -> requests.Response:
        return self.http.request(method, self.admin + path, json=body, timeout=10, **more)

    def made(self, method: str, path: str, body: Json) -> dict[str, Json]:
        answer = self.call(method, path, body)
        assert answer.status_code in (200, 201), answer.text
        row: dict[str, Json] = answer.json()
        return row

    def get(self, host: str, path: str = "/", method: str = "GET", **more: Json) -> requests.Response:
        headers = {"Host": host, **more.pop("headers", {})}
        return self.http.request(method, self.proxy + path, headers=headers, timeout=10, **more)

    def raw(self, host: str, target: str, *headers: tuple[str, str]) -> tuple[http.client.HTTPResponse, str]:
        """Return the answer to a GET, with its body. The target is sent as it is; other clients normalize it."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.proxy_port, timeout=10)) as client:
            client.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
            for name, value in (("Host", host), *headers):
                client.putheader(name, value)
            client.endheaders()
            answer = client.getresponse()
            return answer, answer.read().decode()

    def stop(self) -> str:
        """Stop the process as a container engine does, and return its log."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        log = self.process.communicate(timeout=10)[1]
        assert self.process.returncode == 0
        return log


def refusal(answer: requests.Response) -> tuple[int, int, Json]:
    return answer.status_code, answer.json()["code"], answer.json().get("fields")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Upstream"

    def handle_any(self) -> None:
        server = self.server
        path = self.path.partition("?")[0]
        if path == "/early":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"early")
        body = self._body()
        server.seen.append({"method": self.command, "path": self.path, "headers": self.headers, "body": body})
        if path == "/early":
            self.wfile.write(body[-5:])
        elif path == server.health_path:
            self._say(server.health, b"")
        elif path == "/hang":
            self.connection.settimeout(5)
            with contextlib.suppress(OSError):
                server.left = self.connection.recv(1) == b""
        elif path == "/close":
            self.close_connection = True
        elif path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in range(server.chunks):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(server.chunk), server.chunk))
                    server.sent = number + 1
                    if server.pause:
                        time.sleep(server.pause)
                self.wfile.write(b"0\r\n\r\n")
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        elif path.startswith("/status/"):
            self._say(int(path[8:]), b"the upstream says so")
        elif path == "/twice":
            self._say(200, b"", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Keep-Alive", "timeout=9"))
        elif path == "/zipped":
            self._say(200, b"not really zipped", ("Content-Encoding", "gzip"))
        elif path == "/slow":
            time.sleep(0.6)
            self._say(200, b"slow")
        else:
            self._say(200, json.dumps({"name": server.name, "body": len(body)}).encode())

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        has_body = status not in (204, 304)
        if has_body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass

    # http.server looks methods up by these names
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any  # noqa: N815


class Upstream(ThreadingHTTPServer):
    """A server that records its requests; `name` is in its usual response."""

    daemon_threads = True
    health_path = "/health"

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.server_address[1]
        self.name = f"upstream-{self.port}"
        self.address = f"127.0.0.1:{self.port}"
        self.seen: list[dict[str, Json]] = []
        self.health, self.chunk, self.chunks, self.pause, self.sent = 200, b"x" * 1000, 10, 0.0, 0
        self.left = False  # whether who asked for /hang went away
        self._open: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Json]:
        connection, address = super().get_request()
        self._open.append(connection)
        return connection, address

    def asked(self, path: str) -> list[dict[str, Json]]:
        return [request for request in self.seen if request["path"].startswith(path)]

    def hang_up(self) -> None:
        """Close the connections that clients keep open, as a server does that idled or stops."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.hang_up()


class Site:
    """A new service and route that lead to an address."""

    def __init__(self, gateway: Gateway, address: str, **route: Json) -> None:
        self.gateway, self.name = gateway, f"site-{uuid4().hex[:8]}"
        self.host = f"{self.name}.example"
        self.service = gateway.made("PUT", f"/services/{self.name}", {"url": f"http://{address}"})
        body = {"hosts": [self.host], **route}
        self.route = gateway.made("PUT", f"/services/{self.name}/routes/{self.name}", body)

    def get(self, path: str = "/", method: str = "GET", **more: Json) -> requests.Response:
        return self.gateway.get(self.host, path, method, **more)

    def change(self, **fields: Json) -> None:
        self.gateway.made("PATCH", f"/services/{self.name}", fields)

    def reroute(self, **fields: Json) -> None:
        self.gateway.made("PATCH", f"/routes/{self.name}", fields)

    def balance(self, *targets: str, checks: dict[str, Json] | None = None) -> str:
        """Give the service an upstream with these targets; return its path in the Admin API."""
        self.gateway.made("PUT", f"/upstreams/{self.name}", {"healthchecks": checks or {}})
        for target in targets:
            self.gateway.made("POST", f"/upstreams/{self.name}/targets", {"target": target})
        self.change(host=self.name)
        return f"/upstreams/{self.name}"
