"""A transport that writes in one go what is written in one turn of the event loop."""

import asyncio
from typing import Any

_MAX_BUFFER_BYTES = 16 * 1024


class BufferedTransport:
    """Writes the head and body of a response together, and with it the other responses of this turn.

    A client with many requests then wakes up once. A write for each head and each body took a third of all the
    work of a read.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport = transport
        self._buffer = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._buffer:
            self._loop.call_soon(self._flush)
        self._buffer += data
        if len(self._buffer) > _MAX_BUFFER_BYTES:  # so that the transport applies backpressure
            self._flush()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._buffer:
            self._transport.write(self._buffer)
            self._buffer = b""
