"""A proxy in front of an outside party that forwards each call unless a fault is armed for it."""

import contextlib
import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from pathlib import Path

Address = Path | tuple[str, int]
"""A Unix socket, or a host and a port."""

_PIECE = 65536
_LONGEST_HEAD = 1 << 20
_DRAIN_SECONDS = 5


def connect(to: Address) -> socket.socket:
    """Connect to an address."""
    if isinstance(to, Path):
        unix = socket.socket(socket.AF_UNIX)
        unix.connect(str(to))
        return unix
    return socket.create_connection(to)


class Exchange:
    """One call that waits at the proxy; a fault decides what happens to it."""

    def __init__(self, client: socket.socket, head: bytes, rest: bytes, upstream: Address) -> None:
        self._client = client
        self._head = head
        self._rest = rest
        self._upstream = upstream
        self.call = b" ".join(head.split(b"\r\n", 1)[0].split(b" ")[:2]).decode()

    def pass_on(self) -> None:
        """Forward what the other side sends to the client."""
        with connect(self._upstream) as upstream:
            self._send(upstream)
            _pump(upstream, self._client)

    def forward(self) -> bytes:
        """Read the whole answer of the other side, without forwarding it."""
        with connect(self._upstream) as upstream:
            self._send(upstream)
            answer = bytearray()
            while piece := upstream.recv(_PIECE):
                answer += piece
        return bytes(answer)

    def answer(self, answer: bytes) -> None:
        """Send the client its answer."""
        with contextlib.suppress(OSError):
            self._client.sendall(answer)

    def refuse(self) -> None:
        """Answer 500, and let nothing reach the other side."""
        body = b'{"message": "a fault on purpose"}'
        head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self.answer(b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body))
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
            self._client.settimeout(_DRAIN_SECONDS)
            while self._client.recv(_PIECE):  # an unread request would take the answer with it
                pass

    def drop(self) -> None:
        """Cut the connection."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hold(self) -> None:
        """Never answer; return when the client disconnects."""
        with contextlib.suppress(OSError):
            while self._client.recv(_PIECE):
                pass

    def _send(self, upstream: socket.socket) -> None:
        head = self._head
        if not re.search(rb"\r\nUpgrade:", head, re.IGNORECASE):  # one call a connection, so its answer ends it
            head = re.sub(rb"\r\nConnection:[^\r]*", b"", head, flags=re.IGNORECASE)
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        upstream.sendall(head + self._rest)
        threading.Thread(target=_pump, args=(self._client, upstream), daemon=True).start()


def _pump(source: socket.socket, goal: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            goal.sendall(piece)
        goal.shutdown(socket.SHUT_WR)


Fault = Callable[[Exchange], None]


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.request.recv(_PIECE)
            received += piece
            if not piece or len(received) > _LONGEST_HEAD:
                return
        head, _, rest = received.partition(b"\r\n\r\n")
        exchange = Exchange(self.request, head + b"\r\n\r\n", rest, self.server.proxy.upstream)
        with contextlib.suppress(ConnectionError):
            self.server.proxy.fault_of(exchange.call)(exchange)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: "FaultProxy"


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


class FaultProxy:
    """Listens at one address for another; `arm` sets which calls meet a fault."""

    def __init__(self, listen: Address, upstream: Address) -> None:
        self.upstream = upstream
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._armed: tuple[re.Pattern[str], re.Pattern[str] | None, Fault] | None = None
        self.hits = 0
        if isinstance(listen, Path):
            self._server: _Server = _UnixServer(str(listen), _Handler)  # type: ignore[arg-type]
        else:
            self._server = _Server(listen, _Handler)
        self._server.proxy = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def arm(self, call: str, fault: Fault, *, after: str | None = None) -> None:
        """Make calls that match (`METHOD /path`, a regular expression) meet a fault.

        With `after`, only those behind a call like that.
        """
        with self._lock:
            self.hits = 0
            self._armed = re.compile(call), re.compile(after) if after else None, fault

    def disarm(self) -> None:
        """Forward everything again."""
        with self._lock:
            self._armed = None

    def fault_of(self, call: str) -> Fault:
        """Return what happens to a call."""
        with self._lock:
            self.calls.append(call)
            if self._armed is None:
                return Exchange.pass_on
            pattern, after, fault = self._armed
            if after is not None:
                if after.search(call):
                    self._armed = pattern, None, fault
                return Exchange.pass_on
            if not pattern.search(call):
                return Exchange.pass_on
            self.hits += 1
            return fault

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
