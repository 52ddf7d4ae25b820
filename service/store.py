"""The sessions in the database: durable writes in batches, reads of what is committed."""

import asyncio
from collections.abc import AsyncIterator, Container, Sequence
from typing import Self

from sqlalchemy import URL, Engine
from sqlalchemy.exc import IntegrityError

from service import writes
from service.batches import BatchExecutor
from service.database import open_database
from service.files import DatabaseFiles
from service.problems import SequencerUnavailableError, SessionNotFoundError
from service.reads import PostgresqlReader, Reader, SqliteReader
from service.records import Change, Claim, Claimed, NumberedSession, Page, Query, Session, UsedKey


class Store:
    """Sessions, durable and in order of their ids; opened and used in one event loop.

    Every method raises StoreUnavailableError when the database does not do its part.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._files: DatabaseFiles | None = None
        self._watch: asyncio.Task[None] | None = None
        if engine.dialect.name == "sqlite":
            reader = SqliteReader(engine)
            self._reader: Reader = reader
            self._files = reader.files
            self._watch = asyncio.create_task(reader.files.watch())
        else:
            self._reader = PostgresqlReader(engine)
        self._writes = BatchExecutor(engine, "writes", self._files)

    @classmethod
    async def open(cls, url: URL) -> Self:
        """Raises what open_database raises."""
        return cls(await asyncio.to_thread(open_database, url))

    async def close(self) -> None:
        """Finish the writes that wait, then let go of the database."""
        if self._watch is not None:
            self._watch.cancel()
        await self._writes.close()
        await self._reader.close()
        self._engine.dispose()

    async def check(self) -> str:
        """The database's state. Raises StoreUnavailableError unless it answers and has this release's schema."""
        await self._reader.check()
        if self._files is not None and self._files.is_full:
            return "disk full: writes are refused"
        return "ok"

    async def create_session(self, claim: Claim) -> Session:
        """A session with the next id and the next of this database's own sequence numbers.

        Or what its key says: raises KeyInUseError or InvalidRequestError.
        """
        return await self._writes.submit(writes.create_sessions, claim)

    async def claim_session(self, claim: Claim) -> Claimed:
        """A session to be, with an id of its own; or what its key says, as for create_session."""
        return await self._writes.submit(writes.claim_sessions, claim)

    async def release_key(self, key: str) -> None:
        """The session of the key was not made; who repeats the request need not wait."""
        await self._writes.submit(writes.release_keys, key)

    async def list_keys(self, after: str) -> list[UsedKey]:
        """A few keys, in order, after this one; none at the end."""
        return await self._reader.read_keys(after)

    async def remove_keys(self, keys: Sequence[str], claimed_before: float) -> None:
        """Forget those of the keys that no create has claimed since; a request with one is then a new one."""
        await self._writes.submit(writes.remove_keys, (keys, claimed_before))

    async def insert_session(self, numbered: NumberedSession) -> Session:
        """The session, now visible; SequencerUnavailableError when another has its sequence number."""
        try:
            return await self._writes.submit(writes.insert_sessions, numbered)
        except IntegrityError as error:
            raise SequencerUnavailableError(f"number {numbered.sequence_number} was given twice") from error

    async def change_session(self, change: Change) -> Session:
        """The session after it; SessionNotFoundError, PreconditionFailedError."""
        return await self._writes.submit(writes.change_sessions, change)

    async def get_session(self, session_id: int) -> Session:
        """The session; SessionNotFoundError when there is none."""
        session = await self._reader.find_session(session_id)
        if session is None:
            raise SessionNotFoundError
        return session

    async def list_sessions(self, query: Query, limit: int | None) -> Page:
        """The sessions of the query, at most so many."""
        if limit is None:
            return Page(self._chunks(query), None)
        ids = await self._reader.read_ids(query, limit + 1)
        chosen = ids[:limit]
        last = chosen[-1] if chosen else query.after
        # An id among them may still come to be, so which ones they are is settled here.
        chunks = self._chunks(query._replace(until=last), frozenset(chosen))
        return Page(chunks, last if len(ids) > limit else None)

    async def _chunks(self, query: Query, chosen: Container[int] | None = None) -> AsyncIterator[list[Session]]:
        while chunk := await self._reader.read_chunk(query):
            if kept := [session for session in chunk if chosen is None or session.id in chosen]:
                yield kept
            query = query._replace(after=chunk[-1].id)
