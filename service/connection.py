"""The server's end of a connection: uvicorn's, with limits on what a client may send and on how long it takes."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.problems import MEDIA_TYPE

_HEAD_BYTES = 32 * 1024
_HEAD_FIELDS = 100
_SLOW_SECONDS = 20.0  # for a head to come, for the rest of a refused body, and for the client to read on
_LINGER_SECONDS = 0.5
_WRITE_AT_ONCE = 16 * 1024  # bytes that need not wait for more


class _HeadTooLargeError(Exception):
    """Raised through the parser, which ends with it."""


class _Writer:
    """Writes what came in one turn of the event loop together, after it.

    An answer's head and body go out as one, and the answers of a turn one after another: that wakes a client
    with many requests once; a write for each head and each body cost a third of all the work on a read.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport = transport
        self._pending = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the transport's
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending += data
        if len(self._pending) > _WRITE_AT_ONCE:  # the transport says when it is too much for the client
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            self._transport.write(self._pending)
            self._pending = b""


class Connection(HttpToolsProtocol):
    """Closes on clients that are too slow; answers what is no HTTP, or too much of it, with a problem."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self._chunk = self._head_bytes = 0
        self._last_request = False
        self._sending_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Writer(transport, self.loop)))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._reading_due:
            self._reading_due.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        super().data_received(data)
        scope: object = self.scope  # None before the first request
        if not isinstance(scope, dict) or "method" not in scope:
            self._head_bytes += self._chunk
            self._watch()
            if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("")
        elif self.cycle.response_complete and self.cycle.more_body:  # the rest of a body that was refused
            self._watch()

    def on_headers_complete(self) -> None:
        self._unwatch()
        if len(self.headers) > _HEAD_FIELDS or (self._chunk > _HEAD_BYTES and self._size() > _HEAD_BYTES):
            self._head_bytes = _HEAD_BYTES + 1
            raise _HeadTooLargeError
        self._head_bytes = 0
        super().on_headers_complete()
        if self._last_request:
            self.cycle.keep_alive = False

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_due = self.loop.call_later(_SLOW_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading_due:
            self._reading_due.cancel()

    def _watch(self) -> None:
        if self._sending_due is None:
            self._sending_due = self.loop.call_later(_SLOW_SECONDS, self.transport.abort)

    def _unwatch(self) -> None:
        if self._sending_due is not None:
            self._sending_due.cancel()
            self._sending_due = None

    def send_400_response(self, _: str) -> None:
        """Answer what the parser refused, and close."""
        status = HTTPStatus.BAD_REQUEST
        if self._head_bytes > _HEAD_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": status.description}
        body = json.dumps({**problem, "instance": "/"}).encode()
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        )
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    def shutdown(self) -> None:
        """Close once what is under way is answered; what is on its way to us now is answered too."""
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._last_request:
            self._last_request = True
            self.loop.call_later(_LINGER_SECONDS, self.shutdown)
        else:
            super().shutdown()
