"""The server's end of a connection: uvicorn's, with limits on what a client may send and on how long it takes."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.problems import MEDIA_TYPE

_HEAD_BYTES = 32 * 1024
_HEAD_FIELDS = 100
_SLOW_SECONDS = 20.0  # for a head to come, for the rest of a refused body, and for the client to read on
_LINGER_SECONDS = 0.5
_WRITE_AT_ONCE = 16 * 1024  # bytes that need not wait for more


_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")

_REQUEST_LINE = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+ [^ ]+ HTTP/1\.[01]\r\n")


class _RefusedError(Exception):
    """Raised through the parser, which ends with it: the answer is this status, and the last."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


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

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            self._transport.write(self._pending)
            self._pending = b""


Send = Callable[[Any], Awaitable[None]]


def _without_chunks(cycle: RequestResponseCycle) -> Send:
    """Send an answer of unknown length to the end of the connection: HTTP/1.0 has no chunks."""
    send_next: Send = cycle.send
    ends_with_connection = False

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        nonlocal ends_with_connection
        if message["type"] == "http.response.start":
            ends_with_connection = all(name.lower() != b"content-length" for name, _ in message["headers"])
            if ends_with_connection:
                cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
        elif ends_with_connection and not message.get("more_body", False):
            cycle.expected_content_length = len(message.get("body", b""))
        await send_next(message)

    return send


class LimitedHttpProtocol(HttpToolsProtocol):
    """Closes on clients that are too slow; answers what is no HTTP, or too much of it, with a problem."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self._received = self._head_bytes = 0
        self._last_request = False
        self._is_refused = False
        self._upgrade = False
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
        self._received = len(data)
        self._unset_keepalive_if_required()
        left = self._parse(data)
        while left and not self._is_refused:
            left = self._parse(left)
        if self._is_refused:
            return
        scope: object = self.scope  # None before the first request
        if not isinstance(scope, dict) or "method" not in scope:
            self._head_bytes += self._received
            self._watch()
            if self._head_bytes > _HEAD_BYTES:
                self._refuse(self._too_large())
        elif self.cycle.response_complete and self.cycle.more_body:  # the rest of a body that was refused
            self._watch()

    def _parse(self, data: bytes | memoryview) -> memoryview | None:
        """Hand data to the parser; what is left of it after a request that asked for another protocol."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_without_upgrade()
            return memoryview(data)[upgrade.args[0] :]
        except httptools.HttpParserInvalidMethodError:
            is_request = _REQUEST_LINE.match(data)
            self._refuse(HTTPStatus.NOT_IMPLEMENTED if is_request else HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserError as error:
            refused = error.__context__
            self._refuse(refused.status if isinstance(refused, _RefusedError) else HTTPStatus.BAD_REQUEST)
        return None

    def _parse_without_upgrade(self) -> None:
        """Read the head once more without its Upgrade field, which a server may ignore (RFC 9110, section 7.8).

        The parser takes what follows such a head for another protocol, and the request's body with it.
        """
        self._upgrade = False
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self._parse(b"".join([*head, b"\r\n"]))

    def on_headers_complete(self) -> None:
        self._unwatch()
        if len(self.headers) > _HEAD_FIELDS or (self._received > _HEAD_BYTES and self._size() > _HEAD_BYTES):
            raise _RefusedError(self._too_large())
        self._head_bytes = 0
        version: str = self.parser.get_http_version()
        self._check_head(version)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _RefusedError(HTTPStatus.NOT_IMPLEMENTED)
            self._upgrade = True
            return
        super().on_headers_complete()
        if version == "1.0":
            self.cycle.send = _without_chunks(self.cycle)  # type: ignore[assignment, method-assign]
        if self._last_request:
            self.cycle.keep_alive = False

    def _check_head(self, version: str) -> None:
        """Raise for a head that RFC 9112 has a server refuse, and the parser takes."""
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
                if not _HOST.fullmatch(value):
                    raise _RefusedError(HTTPStatus.BAD_REQUEST)
            elif name == b"transfer-encoding":
                if version == "1.0":
                    raise _RefusedError(HTTPStatus.BAD_REQUEST)
                if value.lower() != b"chunked":
                    raise _RefusedError(HTTPStatus.NOT_IMPLEMENTED)
        if version not in {"1.0", "1.1"}:
            raise _RefusedError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)

    def on_message_complete(self) -> None:
        if not self._upgrade:
            super().on_message_complete()

    def _too_large(self) -> HTTPStatus:
        if len(self.url) > _HEAD_BYTES or (self.url and not self.headers):
            return HTTPStatus.REQUEST_URI_TOO_LONG
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

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

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is not a request that can be read, with the last answer of this connection."""
        self._is_refused = True
        self._watch()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            is_first = not self.pipeline and not cycle.response_started
            if cycle.more_body:  # its body is what can't be read
                cycle.disconnected = True
                cycle.message_event.set()
            if not (cycle.more_body and is_first):
                cycle.keep_alive = False  # the answers to the requests before go out, and are the last
                self.flow.pause_reading()
                return
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": status.description}
        body = orjson.dumps({**problem, "instance": "/"})
        headers = [
            *self.server_state.default_headers,  # the date
            (b"Content-Type", MEDIA_TYPE.encode()),
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        lines = [f"HTTP/1.1 {status} {status.phrase}".encode(), *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        # To close with bytes unread would reset the connection, perhaps before the client has read the answer
        # (RFC 9112, section 9.6).
        self.transport.write_eof()

    def shutdown(self) -> None:
        """Close once what is under way is answered; what is on its way to us now is answered too."""
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._last_request:
            self._last_request = True
            self.loop.call_later(_LINGER_SECONDS, self.shutdown)
        else:
            super().shutdown()
