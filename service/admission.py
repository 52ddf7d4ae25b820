"""The outermost layer: admits requests while there is capacity, and records each one that is done.

It is a single layer, since each layer costs every request: ids and security headers, limits on concurrent requests
and on bytes in memory, the timeout of bodies, the access log and the metrics.
"""

import asyncio
import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, metrics
from service.problems import BodyTimeoutError, OverloadedError, problem_response

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
        self._max_requests = max_requests
        self._max_held_bytes = max_held_bytes
        self._body_seconds = body_seconds
        self._requests = 0
        self._held_bytes = 0
        metrics.in_flight.set_function(lambda: self._requests)
        metrics.held_bytes.set_function(lambda: self._held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = perf_counter()
        ids = logs.read_ids(scope["headers"])
        logs.current.set(ids)
        held = status = 0
        body_deadline: float | None = None
        body_complete = False

        def hold(count: int) -> None:
            nonlocal held
            held += count
            self._held_bytes += count

        async def receive_in_time() -> Message:
            nonlocal body_deadline, body_complete
            if body_complete:
                return await receive()  # the client's disconnect, which has no deadline
            body_deadline = body_deadline or asyncio.get_running_loop().time() + self._body_seconds
            try:
                async with asyncio.timeout_at(body_deadline):
                    message = await receive()
            except TimeoutError:
                raise BodyTimeoutError from None
            hold(len(message.get("body", b"")))
            if self._held_bytes > self._max_held_bytes:
                metrics.refused.inc()
                raise OverloadedError
            body_complete = not message.get("more_body")
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _add_headers(message["headers"], ids)
            elif len(body := message.get("body", b"")) > _CHUNK_BYTES:
                await send_chunks(body, more=message.get("more_body", False))
                return
            await send(message)

        async def send_chunks(body: bytes, *, more: bool) -> None:
            hold(len(body))
            for begin in range(0, len(body), _CHUNK_BYTES):
                chunk = body[begin : begin + _CHUNK_BYTES]
                is_last = begin + _CHUNK_BYTES >= len(body)
                await send({"type": "http.response.body", "body": chunk, "more_body": more or not is_last})
            hold(-len(body))

        self._requests += 1
        try:
            if self._is_full() and scope["path"] not in _ALWAYS_ADMITTED:
                metrics.refused.inc()
                response = problem_response(OverloadedError(), scope["raw_path"].decode("latin-1"))
                await response(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive_in_time, send_with_headers)
        finally:
            self._requests -= 1
            hold(-held)
            _record_request(scope, status, perf_counter() - start, ids)

    def _is_full(self) -> bool:
        return self._requests > self._max_requests or self._held_bytes > self._max_held_bytes


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
