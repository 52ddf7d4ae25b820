"""The reads, of what is committed: on the event loop for SQLite, in batches on a thread for PostgreSQL."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Compiled, Connection, Engine, Select, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from service.batches import BatchExecutor
from service.database import check_schema
from service.driver import is_damage
from service.files import DatabaseFiles
from service.problems import StoreUnavailableError
from service.records import Query, Session, UsedKey
from service.schema import SchemaError
from service.tables import idempotency_keys, sessions

# One chunk of a list: small enough to read at once without keeping other requests waiting.
_CHUNK_ROWS = 200
_CHUNK_SIZE = 128 * 1024

_id = sessions.c.id
_SESSIONS = select(_id, sessions.c.user_id, sessions.c.context, sessions.c.version, sessions.c.modified_at)


def _by_user(chosen: Select[Any]) -> dict[bool, Select[Any]]:
    """What a Query means, for all users and for one: each goes along an index of its own."""
    inside = chosen.where(_id > bindparam("after"), _id <= bindparam("until"))
    of_all = inside.order_by(_id).limit(bindparam("rows"))
    return {False: of_all, True: of_all.where(sessions.c.user_id == bindparam("user_id"))}


def _small(chunk: Select[Any]) -> Select[Any]:
    """The first rows whose contexts before the last are smaller together than a chunk may be."""
    size = func.octet_length(sessions.c.context)
    before = (func.sum(size).over(order_by=_id) - size).label("before")
    rows = chunk.add_columns(before).subquery()
    return select(*list(rows.c)[:-1]).where(rows.c.before < _CHUNK_SIZE).order_by(rows.c.id)


_BY_ID = _SESSIONS.where(_id == bindparam("id"))
_CHUNK = _by_user(_SESSIONS)
_SMALL_CHUNK = {of_user: _small(chunk) for of_user, chunk in _CHUNK.items()}
_IDS = _by_user(select(_id))
_KEYS = (
    select(idempotency_keys.c.key, idempotency_keys.c.claimed_until)
    .where(idempotency_keys.c.key > bindparam("after"))
    .order_by(idempotency_keys.c.key)
    .limit(200)
)


class Reader(Protocol):
    """Every method raises StoreUnavailableError when the database does not do its part."""

    async def find_session(self, session_id: int) -> Session | None:
        """The session, if there is one."""

    async def read_chunk(self, query: Query) -> list[Session]:
        """The first sessions of the query, by id; none only when there is none."""

    async def read_ids(self, query: Query, count: int) -> list[int]:
        """So many ids of the query, from the lowest."""

    async def read_keys(self, after: str) -> list[UsedKey]:
        """A few keys, in order, after this one."""

    async def check(self) -> None:
        """Raises StoreUnavailableError unless the database has this release's schema, too."""

    async def close(self) -> None:
        """Let go of the database."""


class SqliteReader:
    """SQLite: a row by its key takes some 10 µs, less than the way to a thread and back, and no reader waits
    for a writer. The driver runs what SQLAlchemy compiled once: an Execution of its own takes four times as
    long.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pooled = engine.raw_connection()
        self._connection: sqlite3.Connection = self._pooled.driver_connection  # type: ignore[assignment]
        self._connection.execute("SELECT 1 FROM sessions LIMIT 1").fetchall()  # the files are there from now on
        [is_read_only] = self._connection.execute("PRAGMA query_only").fetchone()
        self.files = DatabaseFiles(Path(engine.url.database or ""), is_read_only=bool(is_read_only))
        self._by_id = str(_BY_ID.compile(dialect=engine.dialect))
        self._chunk = {of_user: chunk.compile(dialect=engine.dialect) for of_user, chunk in _CHUNK.items()}
        self._keys = _KEYS.compile(dialect=engine.dialect)
        self._ids = {of_user: ids.compile(dialect=engine.dialect) for of_user, ids in _IDS.items()}

    async def find_session(self, session_id: int) -> Session | None:
        # The hottest path of all: a context manager would add a tenth to the whole request.
        if self.files.damage:
            raise StoreUnavailableError(self.files.damage)
        try:
            rows = self._connection.execute(self._by_id, {"id": session_id}).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error
        return Session._make(rows[0]) if rows else None

    async def read_chunk(self, query: Query) -> list[Session]:
        found: list[Session] = []
        size = 0
        with self._rows(self._chunk[query.user_id is not None], _values(query, _CHUNK_ROWS)) as rows:
            while size < _CHUNK_SIZE and (row := rows.fetchone()):
                found.append(Session._make(row))
                size += len(found[-1].context)
        return found

    async def read_ids(self, query: Query, count: int) -> list[int]:
        with self._rows(self._ids[query.user_id is not None], _values(query, count)) as rows:
            return [session_id for (session_id,) in rows.fetchall()]

    async def read_keys(self, after: str) -> list[UsedKey]:
        with self._rows(self._keys, {"after": after}) as rows:
            return list(map(UsedKey._make, rows.fetchall()))

    async def check(self) -> None:
        self.files.check()
        with self._errors(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            check_schema(db)

    async def close(self) -> None:
        self._pooled.close()

    @contextmanager
    def _rows(self, statement: Compiled, values: Mapping[str, object]) -> Iterator[sqlite3.Cursor]:
        if self.files.damage:
            raise StoreUnavailableError(self.files.damage)
        with self._errors(), closing(self._connection.cursor()) as rows:
            rows.execute(statement.string, statement.construct_params(dict(values)) or {})
            yield rows

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, DBAPIError, SchemaError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        if is_damage(error):
            self.files.report(str(error))
        return StoreUnavailableError(str(error))


class PostgresqlReader:
    """PostgreSQL: a server is a way off, so all reads that wait go in one, on a thread."""

    def __init__(self, engine: Engine) -> None:
        self._executor = BatchExecutor(engine.execution_options(isolation_level="AUTOCOMMIT"), "reads")

    async def find_session(self, session_id: int) -> Session | None:
        return await self._executor.submit(_find, session_id)

    async def read_chunk(self, query: Query) -> list[Session]:
        return await self._executor.submit(_chunks, query)

    async def read_ids(self, query: Query, count: int) -> list[int]:
        return await self._executor.submit(_many_ids, (query, count))

    async def read_keys(self, after: str) -> list[UsedKey]:
        return await self._executor.submit(_keys, after)

    async def check(self) -> None:
        await self._executor.submit(_checks, None)

    async def close(self) -> None:
        await self._executor.close()


def _find(db: Connection, items: Sequence[int]) -> list[Session | None]:
    rows = db.execute(_SESSIONS.where(_id.in_(set(items))))
    found = {row.id: Session._make(row) for row in rows}
    return [found.get(session_id) for session_id in items]


def _chunks(db: Connection, items: Sequence[Query]) -> list[list[Session]]:
    return [
        [
            Session._make(row)
            for row in db.execute(_SMALL_CHUNK[query.user_id is not None], _values(query, _CHUNK_ROWS))
        ]
        for query in items
    ]


def _many_ids(db: Connection, items: Sequence[tuple[Query, int]]) -> list[list[int]]:
    return [list(db.scalars(_IDS[query.user_id is not None], _values(query, count))) for query, count in items]


def _keys(db: Connection, items: Sequence[str]) -> list[list[UsedKey]]:
    return [[UsedKey._make(row) for row in db.execute(_KEYS, {"after": after})] for after in items]


def _checks(db: Connection, items: Sequence[None]) -> Sequence[None]:
    try:
        check_schema(db)
    except SchemaError as error:
        raise StoreUnavailableError(str(error)) from error
    return items


def _values(query: Query, rows: int) -> dict[str, int | None]:
    return {**query._asdict(), "rows": rows}
