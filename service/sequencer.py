"""The Central Sequence Service: one call, one deadline, one error."""

from http import HTTPStatus
from typing import Annotated, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.problems import SequencerUnavailableError

_CONNECTIONS = 100
# Less than a usual server's own five seconds: a call on a connection that the peer is just closing fails,
# and may not be repeated.
_IDLE_SECONDS = 2
_ANSWER_BYTES = 16 * 1024


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    number: Annotated[int, Field(alias="sequenceNumber", ge=-(2**63), le=2**63 - 1)]


class Sequencer:
    """Asks the peer for numbers over pooled connections; made and used in one event loop."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/sequence"
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self.state: Literal["not asked yet", "ok", "unavailable"] = "not asked yet"

    async def close(self) -> None:
        await self._http.close()

    async def next_number(self, session_id: int) -> int:
        """The number of this session, asked for once; SequencerUnavailableError within the deadline.

        Whether a failed call took a number is unknown: a gap may stay in the peer's numbers.
        """
        try:
            number = await self._ask(session_id)
        except SequencerUnavailableError:
            self.state = "unavailable"
            raise
        self.state = "ok"
        return number

    async def _ask(self, session_id: int) -> int:
        body = {"elementType": "session", "elementId": session_id}
        try:
            async with self._http.post(self._url, json=body, allow_redirects=False) as response:
                if response.status != HTTPStatus.CREATED:
                    raise SequencerUnavailableError(f"it answered {response.status} instead of 201")
                return _Answer.model_validate_json(await _read(response.content)).number
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
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
