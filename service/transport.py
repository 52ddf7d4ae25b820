"""A transport that writes in one go what is written in one turn of the event loop."""

import asyncio
import fcntl
import socket
import sys
import termios
from typing import Any

_MAX_BUFFER_BYTES = 16 * 1024
# What the kernel takes before the client's window has room for it: without a limit megabytes for each client that
# does not read.
_MAX_UNSENT_BYTES = 128 * 1024


class BufferedTransport:
    """Writes the head and body of a response together, and with it the other responses of this turn.

    A client with many requests then wakes up once. A write for each head and each body took a third of all the
    work of a read.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport = transport
        self._buffer = b""
        self._socket: socket.socket = transport.get_extra_info("socket")
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT_BYTES)

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

    def count_unread(self) -> int:
        """Return the bytes that were written and that the client's machine has not received."""
        in_kernel = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        return (
            int.from_bytes(in_kernel, sys.byteorder) + self._transport.get_write_buffer_size() + len(self._buffer)
        )

    def _flush(self) -> None:
        if self._buffer:
            self._transport.write(self._buffer)
            self._buffer = b""
