"""The sessions in the database: durable writes through the one writer, reads of what is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple, Self

from sqlalchemy import URL, Connection, Engine, Select, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from service.database import SchemaError, check_schema, open_database
from service.problems import SequencerUnavailableError, SessionNotFoundError, StoreUnavailableError
from service.tables import allotted, sessions
from service.writer import Writer

# One piece of the list: small enough to read at once without keeping other requests waiting.
_PIECE_ROWS = 200
_PIECE_CHARACTERS = 128 * 1024


class Session(NamedTuple):
    """A session as clients know it; its sequence number stays in the database."""

    id: int
    user_id: int
    context: str


class NewSession(NamedTuple):
    user_id: int
    context: str


class NumberedSession(NamedTuple):
    session: Session
    sequence_number: int


class NewContext(NamedTuple):
    session_id: int
    context: str


class Store:
    """Sessions, durable and in order of their ids; opened and used in one event loop.

    Every method raises StoreUnavailableError when the database does not do its part.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Reads stay on the event loop: a row by its key takes some 20 µs, less than the way to a thread
        # and back, and in WAL mode no reader waits for a writer.
        self._reader = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._writer = Writer(engine)

    @classmethod
    async def open(cls, url: URL) -> Self:
        """Raises what open_database raises."""
        return cls(await asyncio.to_thread(open_database, url))

    async def close(self) -> None:
        """Finish the writes that wait, then let go of the database."""
        await self._writer.close()
        self._reader.close()
        self._engine.dispose()

    async def check(self) -> None:
        """Raises StoreUnavailableError unless the database answers and has this release's schema."""
        try:
            check_schema(self._reader)
        except (DBAPIError, SchemaError) as error:
            raise StoreUnavailableError(str(error)) from error

    async def create_session(self, new: NewSession) -> Session:
        """A session with the next id and the next of this database's own sequence numbers."""
        return await self._writer.write(_create_sessions, new)

    async def allot_session_id(self) -> int:
        """An id that no session had, has or will have but the one it is asked for."""
        return await self._writer.write(_allot_session_ids, None)

    async def insert_session(self, session: Session, sequence_number: int) -> Session:
        """The session, now visible; SequencerUnavailableError when another has its sequence number."""
        try:
            return await self._writer.write(_insert_sessions, NumberedSession(session, sequence_number))
        except IntegrityError as error:
            raise SequencerUnavailableError(f"number {sequence_number} was given twice") from error

    async def update_context(self, session_id: int, context: str) -> Session:
        """The session with its new context; SessionNotFoundError when there is none."""
        session = await self._writer.write(_update_contexts, NewContext(session_id, context))
        if session is None:
            raise SessionNotFoundError
        return session

    async def get_session(self, session_id: int) -> Session:
        """The session; SessionNotFoundError when there is none."""
        found = self._read(_BY_ID, {"id": session_id})
        if not found:
            raise SessionNotFoundError
        return found[0]

    async def list_sessions(self) -> AsyncIterator[list[Session]]:
        """All sessions in pieces of bounded size, each read when its turn comes."""
        last_id = 0
        while piece := self._read(_AFTER_ID, {"id": last_id}):
            yield piece
            last_id = piece[-1].id

    def _read(self, statement: Select[Any], parameters: dict[str, int]) -> list[Session]:
        found, characters = [], 0
        try:
            with closing(self._reader.execute(statement, parameters)) as rows:
                for row in rows:
                    session = Session._make(row)
                    found.append(session)
                    characters += len(session.context)
                    if characters > _PIECE_CHARACTERS:
                        break
        except DBAPIError as error:
            raise StoreUnavailableError(str(error.orig)) from error
        return found


_BY_ID = select(sessions.c.id, sessions.c.user_id, sessions.c.context).where(sessions.c.id == bindparam("id"))
_AFTER_ID = (
    select(sessions.c.id, sessions.c.user_id, sessions.c.context)
    .where(sessions.c.id > bindparam("id"))
    .order_by(sessions.c.id)
    .limit(_PIECE_ROWS)
)
_ALLOT = (
    update(allotted)
    .values(
        last_session_id=allotted.c.last_session_id + bindparam("ids"),
        last_sequence_number=allotted.c.last_sequence_number + bindparam("numbers"),
    )
    .returning(allotted.c.last_session_id, allotted.c.last_sequence_number)
)
_UPDATE = update(sessions).where(sessions.c.id == bindparam("session_id")).values(context=bindparam("new"))


def _create_sessions(db: Connection, items: Sequence[NewSession]) -> list[Session]:
    count = len(items)
    last_id, last_number = db.execute(_ALLOT, {"ids": count, "numbers": count}).one()
    created = [Session(id, *new) for id, new in enumerate(items, last_id - count + 1)]
    numbers = range(last_number - count + 1, last_number + 1)
    return _insert_sessions(db, list(map(NumberedSession, created, numbers)))


def _allot_session_ids(db: Connection, items: Sequence[None]) -> range:
    last_id, _ = db.execute(_ALLOT, {"ids": len(items), "numbers": 0}).one()
    return range(last_id - len(items) + 1, last_id + 1)


def _insert_sessions(db: Connection, items: Sequence[NumberedSession]) -> list[Session]:
    rows = [{**session._asdict(), "sequence_number": number} for session, number in items]
    db.execute(insert(sessions), rows)
    return [session for session, _ in items]


def _update_contexts(db: Connection, items: Sequence[NewContext]) -> list[Session | None]:
    ids = {session_id for session_id, _ in items}
    rows = db.execute(select(sessions.c.id, sessions.c.user_id).where(sessions.c.id.in_(ids)))
    owners = {id: user_id for id, user_id in rows}
    there = [change for change in items if change.session_id in owners]
    if there:
        db.execute(_UPDATE, [{"session_id": id, "new": context} for id, context in there])
    return [Session(id, owners[id], context) if id in owners else None for id, context in items]
