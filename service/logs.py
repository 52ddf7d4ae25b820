"""JSON logs on standard output, one object per line, and the ids that correlate the lines of a request."""

import atexit
import itertools
import json
import logging
import re
import secrets
import sys
import time
from asyncio import get_running_loop
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import NamedTuple

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_PATH_LENGTH = 256
_WRITE_SECONDS = 0.1  # that the line of a request waits for others

access = logging.getLogger("service.access")
_process = secrets.token_hex(6)
_number = itertools.count(1)


class Ids(NamedTuple):
    """The request id and W3C trace context of a request."""

    request_id: str
    traceparent: str = ""


current: ContextVar[Ids | None] = ContextVar("current", default=None)


def read_ids(headers: Iterable[tuple[bytes, bytes]]) -> Ids:
    """Read the ids of a request. An invalid one is ignored, and a missing request id generated."""
    request_id = traceparent = ""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            traceparent = value.decode()
    return Ids(request_id or f"{_process}-{next(_number)}", traceparent)


def make_peer_headers() -> dict[str, str]:
    """Return the headers that pass the current request's ids on to a peer."""
    ids = current.get()
    if ids is None:
        return {}
    headers = {"X-Request-ID": ids.request_id}
    return {**headers, "traceparent": ids.traceparent} if ids.traceparent else headers


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object. Line breaks are escaped, so no message can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": _format_time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if ids := current.get():
            line["requestId"] = ids.request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str) -> None:
    """Send all logs of the process to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # uvicorn logs everything unless its logger has a level of its own.
    logging.getLogger("uvicorn.error").setLevel(level)
    atexit.register(_write_lines)


_lines: list[str] = []


def log_request(method: str, route: str, path: str, status: int, seconds: float, ids: Ids) -> None:
    """Log a request that is done.

    Formatted by hand: a LogRecord and its handlers would add a tenth to the cost of a read.
    """
    line = (
        f'{{"timestamp":"{_format_time(time.time())}","level":"INFO","logger":"service.access","message":"request",'
        f'"method":"{method}","route":"{route}","path":{quote(path[:_MAX_PATH_LENGTH])},"status":{status},'
        f'"durationMs":{seconds * 1000:.2f},"requestId":"{ids.request_id}"'
    )
    _lines.append(f'{line},"traceparent":"{ids.traceparent}"}}\n' if ids.traceparent else line + "}\n")
    if len(_lines) == 1:
        get_running_loop().call_later(_WRITE_SECONDS, _write_lines)


def _write_lines() -> None:
    sys.stdout.write("".join(_lines))
    _lines.clear()
    sys.stdout.flush()


@lru_cache(maxsize=2)
def _format_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _format_time(now: float) -> str:
    return f"{_format_second(int(now))}.{int(now % 1 * 1000):03}Z"
