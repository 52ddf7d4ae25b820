"""The Central Sequence Service: one deadline over all tries of a call, and one error.

A session asks once. A try is repeated only when no connection came about, so the peer can't have heard of
it; after every other failure it may have given a number, and to ask again would burn another. Such a gap is
all that a failure leaves: a number that was not read belongs to no session.
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
_CALLS = 2 * _CONNECTIONS  # under way and waiting; a peer that hangs holds no more of the service than this
# Less than a usual server's own five seconds: a call on a connection that the peer is just closing fails,
# and may not be repeated.
_IDLE_SECONDS = 2
_ANSWER_BYTES = 16 * 1024
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds before each new try: time for a peer to start again
_random = random.SystemRandom()


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    number: Annotated[int, Field(alias="sequenceNumber", ge=-(2**63), le=2**63 - 1)]


class _CircuitBreaker:
    """Keeps calls from a peer that keeps failing; one call at a time finds out whether it is back."""

    _FAILURES = 5
    _PAUSE_SECONDS = 1.0

    def __init__(self, longest_call_seconds: float) -> None:
        self._longest_call_seconds = longest_call_seconds
        self._failures = 0
        self._closed_again_at = 0.0

    @property
    def open(self) -> bool:
        """Whether a call would be refused now."""
        return self._failures >= self._FAILURES and time.monotonic() < self._closed_again_at

    def begin(self) -> None:
        """Let a call through, or raise SequencerUnavailableError."""
        if self.open:
            raise SequencerUnavailableError("it failed several times running, and is left alone for a moment")
        if self._failures >= self._FAILURES:
            self._pause(self._longest_call_seconds)  # this call tries; the others wait for what comes of it

    def end(self, *, well: bool) -> None:
        self._failures = 0 if well else self._failures + 1
        if not well:
            self._pause(self._PAUSE_SECONDS * _random.uniform(0.75, 1.25))  # not all replicas at one moment

    def _pause(self, seconds: float) -> None:
        self._closed_again_at = time.monotonic() + seconds


class _RetryBudget:
    """Retries are a tenth of all calls and a few more: they can't become the load that keeps a peer down."""

    _MOST = 20.0
    _PER_CALL = 0.1

    def __init__(self) -> None:
        self._left = self._MOST

    def earn(self) -> None:
        self._left = min(self._MOST, self._left + self._PER_CALL)

    def spend(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Sequencer:
    """Asks the peer for numbers over pooled connections; made and used in one event loop."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/sequence"
        self._timeout_seconds = timeout_seconds
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is ours: it spans all tries
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._calls = 0
        self._budget = _RetryBudget()
        self._circuit = _CircuitBreaker(timeout_seconds)
        self.state: Literal["not asked yet", "ok", "unavailable"] = "not asked yet"

    async def close(self) -> None:
        await self._http.close()

    def require_available(self) -> None:
        """Raise SequencerUnavailableError if request_number certainly would, so that no id is wasted."""
        if self._circuit.open or self._calls >= _CALLS:
            self._refuse()

    async def request_number(self, session_id: int) -> int:
        """The number of this session; SequencerUnavailableError within the deadline.

        Whether a failed call took a number is unknown: a gap may stay in the peer's numbers.
        """
        if self._calls >= _CALLS:
            self._refuse()
        self._circuit.begin()
        self._calls += 1
        well = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                number = await self._ask_until_connected(session_id)
            well = True
        except TimeoutError as error:
            raise SequencerUnavailableError("it did not answer in time") from error
        finally:
            self._calls -= 1
            self._circuit.end(well=well)
            self.state = "ok" if well else "unavailable"
            metrics.peer_calls.labels("ok" if well else "failed").inc()
        return number

    def _refuse(self) -> None:
        metrics.peer_calls.labels("refused").inc()
        raise SequencerUnavailableError("it is not asked for now: it fails, or too many calls wait for it")

    async def _ask_until_connected(self, session_id: int) -> int:
        self._budget.earn()
        for pause in (*_PAUSES, None):
            try:
                return await self._ask(session_id)
            except aiohttp.ClientConnectorError as error:  # nothing was sent
                if pause is None or not self._budget.spend():
                    raise SequencerUnavailableError(str(error)) from error
                metrics.peer_retries.inc()
                await asyncio.sleep(pause * _random.uniform(0.5, 1))
        raise AssertionError("the last pause is None")

    async def _ask(self, session_id: int) -> int:
        body = {"elementType": "session", "elementId": session_id}
        headers = logs.headers_to_pass_on()
        try:
            async with self._http.post(self._url, json=body, headers=headers, allow_redirects=False) as response:
                if response.status != HTTPStatus.CREATED:
                    raise SequencerUnavailableError(f"it answered {response.status} instead of 201")
                return _Answer.model_validate_json(await _read(response.content)).number
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise SequencerUnavailableError(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise SequencerUnavailableError("its answer holds no sequenceNumber") from error


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _ANSWER_BYTES:
            raise SequencerUnavailableError("its answer is too long")
    return bytes(body)
