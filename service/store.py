"""The sessions in the database: durable writes through the one writer, reads of what is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import NamedTuple, Self

from sqlalchemy import URL, Compiled, Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

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
    new_context: str


class Store:
    """Sessions, durable and in order of their ids; opened and used in one event loop.

    Every method raises StoreUnavailableError when the database does not do its part.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Reads stay on the event loop: a row by its key takes some 10 µs, less than the way to a thread
        # and back, and in WAL mode no reader waits for a writer. The driver runs what SQLAlchemy compiled
        # once: through an Execution of its own a read takes four times as long.
        self._reader = engine.raw_connection()
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.OperationalError
        self._by_id = _BY_ID.compile(dialect=engine.dialect)
        self._after_id = _AFTER_ID.compile(dialect=engine.dialect)
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
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                check_schema(db)
        except (OperationalError, SchemaError) as error:
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
        found = self._read(self._by_id, session_id)
        if not found:
            raise SessionNotFoundError
        return found[0]

    async def list_sessions(self) -> AsyncIterator[list[Session]]:
        """All sessions in pieces of bounded size, each read when its turn comes."""
        last_id = 0
        while piece := self._read(self._after_id, last_id):
            yield piece
            last_id = piece[-1].id

    def _read(self, statement: Compiled, session_id: int) -> list[Session]:
        found, characters = [], 0
        try:
            with closing(self._reader.cursor()) as rows:
                rows.execute(statement.string, statement.construct_params({"id": session_id}))
                while characters < _PIECE_CHARACTERS and (row := rows.fetchone()):
                    found.append(Session._make(row))
                    characters += len(found[-1].context)
        except self._driver_error as error:
            raise StoreUnavailableError(str(error)) from error
        return found


_SESSIONS = select(sessions.c.id, sessions.c.user_id, sessions.c.context)
_BY_ID = _SESSIONS.where(sessions.c.id == bindparam("id"))
_AFTER_ID = _SESSIONS.where(sessions.c.id > bindparam("id")).order_by(sessions.c.id).limit(_PIECE_ROWS)
_ALLOT = (
    update(allotted)
    .values(
        last_session_id=allotted.c.last_session_id + bindparam("ids"),
        last_sequence_number=allotted.c.last_sequence_number + bindparam("numbers"),
    )
    .returning(allotted.c.last_session_id, allotted.c.last_sequence_number)
)
_UPDATE = update(sessions).where(sessions.c.id == bindparam("session_id")).values(context=bindparam("new_context"))


def _create_sessions(db: Connection, items: Sequence[NewSession]) -> list[Session]:
    count = len(items)
    last_id, last_number = db.execute(_ALLOT, {"ids": count, "numbers": count}).one()
    created = [Session(session_id, *new) for session_id, new in enumerate(items, last_id - count + 1)]
    numbers = range(last_number - count + 1, last_number + 1)
    return _insert_sessions(db, list(map(NumberedSession, created, numbers)))


def _allot_session_ids(db: Connection, items: Sequence[None]) -> Sequence[int]:
    last_id, _ = db.execute(_ALLOT, {"ids": len(items), "numbers": 0}).one()
    return range(last_id - len(items) + 1, last_id + 1)


def _insert_sessions(db: Connection, items: Sequence[NumberedSession]) -> list[Session]:
    rows = [{**session._asdict(), "sequence_number": number} for session, number in items]
    db.execute(insert(sessions), rows)
    return [session for session, _ in items]


def _update_contexts(db: Connection, items: Sequence[NewContext]) -> list[Session | None]:
    ids = {change.session_id for change in items}
    rows = db.execute(select(sessions.c.id, sessions.c.user_id).where(sessions.c.id.in_(ids)))
    owners: dict[int, int] = dict(rows.tuples().all())
    if owners:
        db.execute(_UPDATE, [change._asdict() for change in items if change.session_id in owners])
    return [
        Session(session_id, owners[session_id], context) if session_id in owners else None
        for session_id, context in items
    ]
