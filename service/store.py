"""The sessions in the database: durable writes in batches, and reads of what is committed."""

import asyncio
from collections.abc import AsyncIterator, Container, Sequence
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Engine
from sqlalchemy.exc import IntegrityError

from service import writes
from service.batches import BatchExecutor
from service.database import open_database
from service.files import DatabaseFiles
from service.problems import SequencerUnavailableError, SessionNotFoundError
from service.reads import CHUNK_ROWS, PostgresqlReader, Reader, SqliteReader
from service.records import (
    Change,
    Claim,
    ClaimedSession,
    ListedSession,
    NumberedSession,
    Page,
    Session,
    SessionFilter,
    UsedKey,
)
from service.turns import Ticket, Turns
from service.turnstile import Turnstile


class Store:
    """Durable sessions, in the order of their ids; opened and used in one event loop.

    Every method raises StoreUnavailableError if the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._files: DatabaseFiles | None = None
        self._turnstile: Turnstile | None = None
        self._watch: asyncio.Task[None] | None = None
        if engine.dialect.name == "sqlite":
            reader = SqliteReader(engine)
            self._reader: Reader = reader
            self._files = reader.files
            self._watch = asyncio.create_task(reader.files.watch())
            self._turnstile = Turnstile(Path(engine.url.database or ""))
            self._writes = BatchExecutor(engine, "writes", self._files, self._turnstile.turn)
        else:
            self._reader = PostgresqlReader(engine)
            self._writes = BatchExecutor(engine, "writes")
        self._turns = Turns()

    @classmethod
    async def open(cls, url: URL) -> Self:
        """Open the database, created or migrated if necessary. Raises DatabaseNotOpenedError."""
        return cls(await asyncio.to_thread(open_database, url))

    async def close(self) -> None:
        """Finish pending writes, then disconnect."""
        if self._watch is not None:
            self._watch.cancel()
        await self._writes.close()
        if self._turnstile is not None:
            self._turnstile.close()
        await self._reader.close()
        self._engine.dispose()

    async def check(self) -> str:
        """Return the state of the database. Raises StoreUnavailableError unless sessions can be read."""
        await self._reader.check()
        if self._files is not None and self._files.is_full:
            return "disk full: writes are refused"
        return "ok"

    async def create_session(self, claim: Claim) -> Session:
        """Create a session with the next id and the next of the database's own sequence numbers.

        A key that was used before returns its session. Raises KeyInUseError, and InvalidRequestError if the key
        belongs to a different request.
        """
        return await self._writes.submit(writes.create_sessions, claim)

    async def claim_session(self, claim: Claim) -> ClaimedSession:
        """Allocate an id for a session that is inserted later. Keys count as in create_session."""
        return await self._writes.submit(writes.claim_sessions, claim)

    async def release_key(self, key: str) -> None:
        """End the claim of a session that could not be created, so that a retry need not wait."""
        await self._writes.submit(writes.release_keys, key)

    async def list_keys(self, after: str) -> list[UsedKey]:
        """Return some of the keys after this one, in order; none if it is the last."""
        return await self._reader.read_keys(after)

    async def remove_keys(self, keys: Sequence[str], claimed_before: float) -> None:
        """Forget those of the keys that were not claimed again; a request with one is then a new request."""
        await self._writes.submit(writes.remove_keys, (keys, claimed_before))

    async def insert_session(self, numbered: NumberedSession) -> Session:
        """Make a claimed session visible. Raises SequencerUnavailableError if its number is already in use."""
        try:
            return await self._writes.submit(writes.insert_sessions, numbered)
        except IntegrityError as error:
            raise SequencerUnavailableError(f"it returned {numbered.sequence_number} twice") from error

    async def change_session(self, change: Change) -> Session:
        """Return the changed session. Raises SessionNotFoundError or PreconditionFailedError."""
        return await self._writes.submit(writes.change_sessions, change)

    async def get_session(self, session_id: int) -> Session:
        """Return a session. Raises SessionNotFoundError."""
        session = await self._reader.find_session(session_id)
        if session is None:
            raise SessionNotFoundError
        return session

    async def list_sessions(self, chosen: SessionFilter, limit: int | None) -> Page:
        """Return the chosen sessions: the first `limit` of them, or all."""
        ticket = self._turns.join(is_page=limit is not None)
        rows = CHUNK_ROWS if limit is None else min(limit + 1, CHUNK_ROWS)
        found, is_last = await self._turns.take(ticket, self._reader.read_chunk, chosen, rows)
        if is_last:
            return Page(found[:limit], None, None)
        chosen = chosen._replace(after=found[-1][0])
        if limit is None:
            return Page(found, self._read_rest(ticket, chosen), None)
        if len(found) > limit:
            return Page(found[:limit], None, found[limit - 1][0])
        missing = limit - len(found)
        following = await self._reader.read_ids(chosen, missing + 1)
        ids = following[:missing]
        last = ids[-1] if ids else chosen.after
        # A session with an id between these may still be inserted; it is not of this page.
        rest = self._read_rest(ticket, chosen._replace(until=last), frozenset(ids)) if ids else None
        return Page(found, rest, last if len(following) > missing else None)

    async def _read_rest(
        self, ticket: Ticket, chosen: SessionFilter, ids: Container[int] | None = None
    ) -> AsyncIterator[list[ListedSession]]:
        is_last = False
        while not is_last:
            found, is_last = await self._turns.take(ticket, self._reader.read_chunk, chosen, CHUNK_ROWS)
            if kept := [session for session in found if ids is None or session[0] in ids]:
                yield kept
            if found:
                chosen = chosen._replace(after=found[-1][0])
