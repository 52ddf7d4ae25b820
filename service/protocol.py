"""uvicorn's HTTP protocol with limits: on what a client may send, and on how long it may take."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

import httptools
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.problems import problem_response
from service.transport import BufferedTransport

_HEAD_BYTES = 32 * 1024
_HEAD_FIELDS = 100
_LINGER_SECONDS = 0.5

_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_REQUEST_LINE = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+ [^ ]+ HTTP/1\.[01]\r\n")


class _RefusedError(Exception):
    """Raised in a callback to stop the parser. The status is the connection's last response."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class LimitedHttpProtocol(HttpToolsProtocol):
    """Drops clients that are too slow, and answers what is not HTTP, or too large, with a problem."""

    slow_seconds = 20.0
    """For a head, for the rest of a refused body, and without reading any of what was sent."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self._received = self._head_bytes = 0
        self._last_request = False
        self._is_refused = False
        self._upgrade = False
        self._send_timeout: asyncio.TimerHandle | None = None
        self._read_timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._output = BufferedTransport(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._output))
        self._start_send_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_send_timeout()
        if self._read_timeout:
            self._read_timeout.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received = len(data)
        self._unset_keepalive_if_required()
        rest = self._parse(data)
        while rest and not self._is_refused:
            rest = self._parse(rest)
        if self._is_refused:
            return
        scope: object = self.scope  # None before the first request
        if not isinstance(scope, dict) or "method" not in scope:  # in the middle of a head
            self._head_bytes += self._received
            self._start_send_timeout()
            if self._head_bytes > _HEAD_BYTES:
                self._refuse(self._too_large())
        elif self.cycle.response_complete and self.cycle.more_body:  # the rest of a body that was refused
            self._start_send_timeout()

    def _parse(self, data: bytes | memoryview) -> memoryview | None:
        """Feed the parser; return what it left unread after a request for another protocol."""
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
        """Parse the head again without its Upgrade field, which a server may ignore (RFC 9110, section 7.8).

        With it the parser takes what follows for another protocol, the body included.
        """
        self._upgrade = False
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._parse(b"".join([*head, b"\r\n"]))

    def on_headers_complete(self) -> None:
        self._stop_send_timeout()
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
        self.cycle.scope["abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        if version == "1.0":
            self.cycle.send = _send_without_chunks(self.cycle)  # type: ignore[assignment, method-assign]
        if self._last_request:
            self.cycle.keep_alive = False

    def _check_head(self, version: str) -> None:
        """Refuse heads that RFC 9112 forbids and the parser accepts."""
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
        self._start_read_timeout()

    def _start_read_timeout(self) -> None:
        self._read_timeout = self.loop.call_later(
            self.slow_seconds, self._require_reader, self._output.count_unread()
        )

    def _require_reader(self, unread_before: int) -> None:
        """Drop a client that has read nothing since then. One that reads slowly gets all of its response."""
        if self._output.count_unread() < unread_before:
            self._start_read_timeout()
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._read_timeout:
            self._read_timeout.cancel()

    def _start_send_timeout(self) -> None:
        if self._send_timeout is None:
            self._send_timeout = self.loop.call_later(self.slow_seconds, self.transport.abort)

    def _stop_send_timeout(self) -> None:
        if self._send_timeout is not None:
            self._send_timeout.cancel()
            self._send_timeout = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what can't be parsed; no later request of this connection is answered."""
        self._is_refused = True
        self._start_send_timeout()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            is_first = not self.pipeline and not cycle.response_started
            if cycle.more_body:  # its body is what can't be parsed
                cycle.disconnected = True
                cycle.message_event.set()
            if not (cycle.more_body and is_first):
                cycle.keep_alive = False  # the earlier requests are still answered
                self.flow.pause_reading()
                return
        response = problem_response(HTTPException(status, status.description), "/")
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        lines = [f"HTTP/1.1 {status} {status.phrase}".encode(), *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        # Closing with unread bytes would reset the connection, perhaps before the client has read the response
        # (RFC 9112, section 9.6).
        self.transport.write_eof()

    def shutdown(self) -> None:
        """Close after the response to a current request, and to one that is on its way already.

        A response that has begun could not announce that, so the connection stays open for one more request.
        """
        self._last_request = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LINGER_SECONDS, self._close_if_idle)
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last_request and not self.transport.is_closing():
            self.shutdown()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


_Send = Callable[[Any], Awaitable[None]]


def _send_without_chunks(cycle: RequestResponseCycle) -> _Send:
    """End a response of unknown length with the connection: HTTP/1.0 has no chunks."""
    send_next: _Send = cycle.send
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
