"""The outermost layer: lets requests in while there is room, and tells of each one that is done.

One layer, because each costs every request: ids and security headers, the bounds on requests and bytes, the
time a body may take, the access log and the metrics.
"""

import asyncio
import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, metrics
from service.problems import BodyTimeoutError, OverloadedError, problem

# Asked by those who watch the service, just when it is overloaded.
_ALWAYS_ADMITTED = frozenset({"/livez", "/readyz", "/metrics"})
# A larger answer is sent in chunks of this size, each when the client has taken most of the one before.
_CHUNK = 64 * 1024

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
# What can be asked for again with If-None-Match has to be kept, by the client itself and by nobody else.
_REVALIDATED = [*_SECURITY_HEADERS[:-1], (b"cache-control", b"private, no-cache")]
_WITHOUT_POLICY = [header for header in _SECURITY_HEADERS if header[0] != b"content-security-policy"]


class AdmissionMiddleware:
    """An ASGI app that stands before another."""

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
        begin = perf_counter()
        ids = logs.read_ids(scope["headers"])
        logs.current.set(ids)
        held = status = 0
        body_due: float | None = None
        body_came = False

        def hold(count: int) -> None:
            nonlocal held
            held += count
            self._held_bytes += count

        async def receive_in_time() -> Message:
            nonlocal body_due, body_came
            if body_came:
                return await receive()  # that the client has left, however late
            body_due = body_due or asyncio.get_running_loop().time() + self._body_seconds
            try:
                async with asyncio.timeout_at(body_due):
                    message = await receive()
            except TimeoutError:
                raise BodyTimeoutError from None
            hold(len(message.get("body", b"")))
            if self._held_bytes > self._max_held_bytes:
                metrics.refused.inc()
                raise OverloadedError
            body_came = not message.get("more_body")
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _add_headers(message["headers"], ids)
            elif len(body := message.get("body", b"")) > _CHUNK:
                await send_chunks(body, more=message.get("more_body", False))
                return
            await send(message)

        async def send_chunks(body: bytes, *, more: bool) -> None:
            hold(len(body))
            for begin in range(0, len(body), _CHUNK):
                last = begin + _CHUNK >= len(body)
                chunk = body[begin : begin + _CHUNK]
                await send({"type": "http.response.body", "body": chunk, "more_body": more or not last})
            hold(-len(body))

        self._requests += 1
        try:
            if self._is_full() and scope["path"] not in _ALWAYS_ADMITTED:
                metrics.refused.inc()
                await problem(OverloadedError(), scope["raw_path"].decode("latin-1"))(
                    scope, receive, send_and_note
                )
            else:
                await self._app(scope, receive_in_time, send_and_note)
        finally:
            self._requests -= 1
            hold(-held)
            _record_request(scope, status, perf_counter() - begin, ids)

    def _is_full(self) -> bool:
        return self._requests > self._max_requests or self._held_bytes > self._max_held_bytes


def _add_headers(headers: list[tuple[bytes, bytes]], ids: logs.Ids) -> list[tuple[bytes, bytes]]:
    security = _SECURITY_HEADERS
    for name, _ in headers:
        if name == b"etag":
            security = _REVALIDATED
        elif name == b"content-security-policy":  # the docs page's own
            security = _WITHOUT_POLICY
    return [*headers, (b"x-request-id", ids.request_id.encode()), *security]


def _record_request(scope: Scope, status: int, seconds: float, ids: logs.Ids) -> None:
    path, method = scope["path"], scope["method"]
    route = getattr(scope.get("route"), "path", "other")
    metrics.requests.observe(method, route, status, seconds)
    if path not in _ALWAYS_ADMITTED and logs.access.isEnabledFor(logging.INFO):
        logs.log_request(method, route, scope["raw_path"].decode("latin-1"), status, seconds, ids)
