"""The client of the Central Sequence Service: one deadline for a call with its retries, and one error.

A call is retried only if no connection was made, since the peer can't have seen it then. After any other failure
it may have allocated a number, and a retry would waste another. Such a gap is all that a failure leaves: a number
that was not read belongs to no session.
"""

import asyncio
import random
import time
from http import HTTPStatus
from typing import Annotated, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service import logs, metrics
from service.problems import SequencerUnavailableError

_CONNECTIONS = 100
_CALLS = 2 * _CONNECTIONS  # in progress or waiting: a peer that hangs can't hold more requests than this
# Less than the 5 s of most servers: a call on a connection that the peer is closing fails, and can't be retried.
_IDLE_SECONDS = 2
_MAX_RESPONSE_BYTES = 16 * 1024
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds before each retry: time for a peer to restart
_random = random.SystemRandom()


class _Response(BaseModel):
    model_config = ConfigDict(strict=True)

    number: Annotated[int, Field(alias="sequenceNumber", ge=-(2**63), le=2**63 - 1)]


class _CircuitBreaker:
    """Stops calls to a peer that keeps failing, except for one at a time that tests whether it works again."""

    _FAILURES = 5
    _OPEN_SECONDS = 1.0

    def __init__(self, max_call_seconds: float) -> None:
        self._max_call_seconds = max_call_seconds
        self._failures = 0
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are refused now."""
        return self._failures >= self._FAILURES and time.monotonic() < self._open_until

    def begin_call(self) -> None:
        """Let a call through, or raise SequencerUnavailableError."""
        if self.open:
            raise SequencerUnavailableError("it failed repeatedly, so it is not called for a moment")
        if self._failures >= self._FAILURES:
            self._open(self._max_call_seconds)  # to all other calls, until this one has tested the peer

    def end_call(self, *, ok: bool) -> None:
        self._failures = 0 if ok else self._failures + 1
        if not ok:
            self._open(self._OPEN_SECONDS * _random.uniform(0.75, 1.25))  # so that replicas do not test together

    def _open(self, seconds: float) -> None:
        self._open_until = time.monotonic() + seconds


class _RetryBudget:
    """Limits retries to a tenth of all calls and a few more, so that they can't keep a peer overloaded."""

    _MAX = 20.0
    _PER_CALL = 0.1

    def __init__(self) -> None:
        self._left = self._MAX

    def earn(self) -> None:
        self._left = min(self._MAX, self._left + self._PER_CALL)

    def spend(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Sequencer:
    """Requests sequence numbers over pooled connections; created and used in one event loop."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/sequence"
        self._timeout_seconds = timeout_seconds
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None),  # our own deadline includes retries
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._calls = 0
        self._budget = _RetryBudget()
        self._breaker = _CircuitBreaker(timeout_seconds)
        self.state: Literal["not asked yet", "ok", "unavailable"] = "not asked yet"

    async def close(self) -> None:
        await self._http.close()

    def require_available(self) -> None:
        """Raise SequencerUnavailableError if request_number certainly would, so that no id is wasted."""
        if self._breaker.open or self._calls >= _CALLS:
            self._refuse()

    async def request_number(self, session_id: int) -> int:
        """Return the number of this session, or raise SequencerUnavailableError within the deadline.

        A failed call may leave a gap in the peer's numbers.
        """
        if self._calls >= _CALLS:
            self._refuse()
        self._breaker.begin_call()
        self._calls += 1
        ok = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                number = await self._call_until_connected(session_id)
            ok = True
        except TimeoutError as error:
            raise SequencerUnavailableError("it did not answer in time") from error
        finally:
            self._calls -= 1
            self._breaker.end_call(ok=ok)
            self.state = "ok" if ok else "unavailable"
            metrics.peer_calls.labels("ok" if ok else "failed").inc()
        return number

    def _refuse(self) -> None:
        metrics.peer_calls.labels("refused").inc()
        raise SequencerUnavailableError("it is not called: it failed repeatedly, or too many calls are waiting")

    async def _call_until_connected(self, session_id: int) -> int:
        self._budget.earn()
        for pause in (*_PAUSES, None):
            try:
                return await self._call(session_id)
            except aiohttp.ClientConnectorError as error:  # nothing was sent
                if pause is None or not self._budget.spend():
                    raise SequencerUnavailableError(str(error)) from error
                metrics.peer_retries.inc()
                await asyncio.sleep(pause * _random.uniform(0.5, 1))
        raise AssertionError("the last pause is None")

    async def _call(self, session_id: int) -> int:
        body = {"elementType": "session", "elementId": session_id}
        headers = logs.make_peer_headers()
        try:
            async with self._http.post(self._url, json=body, headers=headers, allow_redirects=False) as response:
                if response.status != HTTPStatus.CREATED:
                    raise SequencerUnavailableError(f"it answered {response.status} instead of 201")
                return _Response.model_validate_json(await _read(response.content)).number
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise SequencerUnavailableError(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise SequencerUnavailableError("its response has no valid sequenceNumber") from error


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _MAX_RESPONSE_BYTES:
            raise SequencerUnavailableError("its response is too large")
    return bytes(body)
