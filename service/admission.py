"""The outermost layer: admits requests while there is capacity, and records each one that is done.

It is a single layer, since each layer costs every request: ids and security headers, limits on concurrent requests
and on bytes in memory, the timeout of bodies, the access log and the metrics.
"""

import asyncio
import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, metrics
from service.capacity import Capacity, Transfer
from service.problems import BodyTimeoutError, OverloadedError, SlowClientError, problem_response

# For monitoring, which matters most during an overload.
_ALWAYS_ADMITTED = frozenset({"/livez", "/readyz", "/metrics"})
# Larger bodies are sent in chunks of this size, each once the client has read most of the one before.
_CHUNK_BYTES = 64 * 1024

_CONTENT_SECURITY_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_WITHOUT_POLICY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_SECURITY_HEADERS = [_CONTENT_SECURITY_POLICY, *_WITHOUT_POLICY]
# A client must keep what has an ETag, to revalidate it; nobody else may.
_REVALIDATED = [*_SECURITY_HEADERS[:-1], (b"cache-control", b"private, no-cache")]


class AdmissionMiddleware:
    def __init__(self, app: ASGIApp, *, max_requests: int, max_held_bytes: int, body_seconds: float) -> None:
        self._app = app
        self._capacity = Capacity(max_requests, max_held_bytes)
        self._body_seconds = body_seconds
        metrics.in_flight.set_function(lambda: self._capacity.requests)
        metrics.held_bytes.set_function(lambda: self._capacity.held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = perf_counter()
        ids = logs.read_ids(scope["headers"])
        logs.current.set(ids)
        exchange = _Exchange(self._capacity, self._body_seconds, scope, receive, send, ids)
        try:
            if self._capacity.is_full and scope["path"] not in _ALWAYS_ADMITTED:
                metrics.refused.inc()
                response = problem_response(OverloadedError(), scope["raw_path"].decode("latin-1"))
                await response(scope, receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()
            _record_request(scope, exchange.status, perf_counter() - start, ids)


class _Exchange(Transfer):
    """A request and its response.

    It has a place from when its body is there until its response begins. Lists have none: they wait for each other
    (turns.py).
    """

    __slots__ = (
        "_body_deadline",
        "_body_seconds",
        "_capacity",
        "_has_body",
        "_has_place",
        "_ids",
        "_needs_place",
        "_receive",
        "_scope",
        "_send",
        "_timeout",
        "status",
    )

    def __init__(
        self, capacity: Capacity, body_seconds: float, scope: Scope, receive: Receive, send: Send, ids: logs.Ids
    ) -> None:
        super().__init__()
        self._capacity = capacity
        self._body_seconds = body_seconds
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ids = ids
        self._body_deadline: float | None = None
        self._timeout: asyncio.Timeout | None = None
        self._has_body = False
        self._needs_place = scope["path"] != "/sessions" or scope["method"] == "POST"  # until its response begins
        self._has_place = False
        self.status = 0
        if self._needs_place:
            self._take_place()

    def end(self) -> None:
        """Give up what it still takes."""
        self._leave_place()
        self._capacity.remove(self)

    def _take_place(self) -> None:
        self._has_place = True
        self._capacity.requests += 1

    def _leave_place(self) -> None:
        self._capacity.requests -= self._has_place
        self._has_place = False

    async def receive(self) -> Message:
        if self._has_body:
            return await self._receive()  # the client's disconnect, which has no deadline
        if self._body_deadline is None:
            self._body_deadline = asyncio.get_running_loop().time() + self._body_seconds
            self._leave_place()
            self._capacity.add_arriving(self)
        try:
            async with asyncio.timeout_at(self._body_deadline) as self._timeout:
                message = await self._receive()
        except TimeoutError:
            raise SlowClientError if self.is_dropped else BodyTimeoutError from None
        finally:
            self._timeout = None
        count = len(message.get("body", b""))
        self.moved_bytes += count
        self._capacity.hold(self, count)
        if self.is_dropped:
            raise SlowClientError
        self._has_body = not message.get("more_body")
        if self._has_body:
            self._capacity.remove_arriving(self)
            if self._needs_place:
                self._take_place()
                if self._capacity.is_full:
                    metrics.refused.inc()
                    raise OverloadedError
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _add_headers(message["headers"], self._ids)
            self._needs_place = False
            self._leave_place()
        elif len(body := message.get("body", b"")) > _CHUNK_BYTES:
            await self._send_chunks(body, more=message.get("more_body", False))
            return
        await self._send(message)

    async def _send_chunks(self, body: bytes, *, more: bool) -> None:
        self._capacity.add_sending(self)
        self._capacity.hold(self, len(body))
        for begin in range(0, len(body), _CHUNK_BYTES):
            chunk = body[begin : begin + _CHUNK_BYTES]
            is_last = begin + _CHUNK_BYTES >= len(body)
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more or not is_last})
            self.moved_bytes += len(chunk)
        self._capacity.hold(self, -len(body))

    def drop(self) -> None:
        if self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time())
        elif self.status:
            self._scope["abort"]()


def _add_headers(headers: list[tuple[bytes, bytes]], ids: logs.Ids) -> list[tuple[bytes, bytes]]:
    security = _SECURITY_HEADERS
    for name, _ in headers:
        if name == b"etag":
            security = _REVALIDATED
        elif name == b"content-security-policy":  # the docs page has its own
            security = _WITHOUT_POLICY
    return [*headers, (b"x-request-id", ids.request_id.encode()), *security]


def _record_request(scope: Scope, status: int, seconds: float, ids: logs.Ids) -> None:
    path, method = scope["path"], scope["method"]
    route = getattr(scope.get("route"), "path", "other")
    metrics.requests.observe(method, route, status, seconds)
    if path not in _ALWAYS_ADMITTED and logs.access.isEnabledFor(logging.INFO):
        logs.log_request(method, route, scope["raw_path"].decode("latin-1"), status, seconds, ids)
