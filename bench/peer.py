"""`python -m bench.peer PORT`: a Central Sequence Service that only counts."""

import asyncio
import sys
from itertools import count
from typing import cast

import httptools
import uvloop

_numbers = count(1)
_HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: "


class Connection(asyncio.Protocol):
    """Responds to every request with the next number."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        body = b'{"sequenceNumber": %d}' % next(_numbers)
        self._transport.write(_HEAD + b"%d\r\n\r\n%b" % (len(body), body))
        if not self._parser.should_keep_alive():
            self._transport.close()


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
