"""Reads of committed data: on the event loop for SQLite, in batches on a thread for PostgreSQL."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Integer, Select, bindparam, func, literal_column, select
from sqlalchemy.exc import DBAPIError

from service.batches import BatchExecutor, Item, Result, Work
from service.database import check_schema
from service.driver import compile_sql, cursor, is_damage, query
from service.files import DatabaseFiles
from service.problems import StoreUnavailableError
from service.records import Chunk, ListedSession, Session, SessionFilter, UsedKey
from service.schema import SchemaError
from service.tables import idempotency_keys, sessions

# A chunk of a list is small enough to be read at once without holding up other requests.
CHUNK_ROWS = 200
_CHUNK_CHARACTERS = 128 * 1024
_KEYS_AT_ONCE = 200

_id = sessions.c.id
_NO_OFFSET = literal_column("0", Integer)  # which SQLite would otherwise get as one more value
_SESSIONS = select(_id, sessions.c.user_id, sessions.c.context, sessions.c.version, sessions.c.modified_at)


def _filter(chosen: Select[Any]) -> dict[bool, Select[Any]]:
    """Apply a SessionFilter: without a user id, and with one. Each of the two statements has its index."""
    inside = chosen.where(_id > bindparam("after"), _id <= bindparam("until"))
    of_all = inside.order_by(_id).limit(bindparam("rows")).offset(_NO_OFFSET)
    return {False: of_all, True: of_all.where(sessions.c.user_id == bindparam("user_id"))}


def _limit_size(chunk: Select[Any]) -> Select[Any]:
    """Keep the first rows, up to the one whose context exceeds the size of a chunk."""
    size = func.octet_length(sessions.c.context)
    before = (func.sum(size).over(order_by=_id) - size).label("before")
    rows = chunk.add_columns(before).subquery()
    return (
        select(*list(rows.c)[:-1])
        .where(rows.c.before < literal_column(str(_CHUNK_CHARACTERS)))
        .order_by(rows.c.id)
    )


_BY_ID = _SESSIONS.where(_id == bindparam("id"))
_CHUNK = _filter(select(_id, sessions.c.user_id, sessions.c.context))
_LIMITED_CHUNK = {of_user: _limit_size(chunk) for of_user, chunk in _CHUNK.items()}
_IDS = _filter(select(_id))
_KEYS = (
    select(idempotency_keys.c.key, idempotency_keys.c.claimed_until)
    .where(idempotency_keys.c.key > bindparam("after"))
    .order_by(idempotency_keys.c.key)
    .limit(bindparam("rows"))
    .offset(_NO_OFFSET)
)


class Reader:
    """Reads what is committed. Every method raises StoreUnavailableError if the database fails."""

    async def find_session(self, session_id: int) -> Session | None:
        return await self._submit(_find_sessions, session_id)

    async def read_chunk(self, chosen: SessionFilter, rows: int) -> Chunk:
        """Return the first of the chosen sessions, by id: `rows` at most, and fewer if they are large."""
        return await self._submit(_read_chunks, (chosen, rows))

    async def read_ids(self, chosen: SessionFilter, count: int) -> list[int]:
        """Return the ids of the first `count` of the chosen sessions."""
        return await self._submit(_read_ids, (chosen, count))

    async def read_keys(self, after: str) -> list[UsedKey]:
        """Return some of the keys after this one, in order; none if it is the last."""
        return await self._submit(_read_keys, after)

    async def check(self) -> None:
        """Raise StoreUnavailableError also if the database does not have this release's schema."""
        await self._submit(_check, None)

    async def close(self) -> None:
        raise NotImplementedError

    async def _submit(self, work: Work[Item, Result], item: Item) -> Result:
        raise NotImplementedError


class PostgresqlReader(Reader):
    """Runs all waiting reads together, since each trip to the server takes long."""

    def __init__(self, engine: Engine) -> None:
        self._executor = BatchExecutor(engine.execution_options(isolation_level="AUTOCOMMIT"), "reads")

    async def close(self) -> None:
        await self._executor.close()

    async def _submit(self, work: Work[Item, Result], item: Item) -> Result:
        return await self._executor.submit(work, item)


class SqliteReader(Reader):
    """Reads at once: some 10 µs for a row, less than a thread would add. Writers do not block it."""

    def __init__(self, engine: Engine) -> None:
        self._db = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection: sqlite3.Connection = self._db.connection.driver_connection  # type: ignore[assignment]
        self._connection.execute("SELECT 1 FROM sessions LIMIT 1").fetchall()  # from now on all files exist
        [is_read_only] = self._connection.execute("PRAGMA query_only").fetchone()
        self.files = DatabaseFiles(Path(engine.url.database or ""), is_read_only=bool(is_read_only))
        self._by_id = compile_sql(_BY_ID, engine.dialect)

    async def find_session(self, session_id: int) -> Session | None:
        # The hottest path of all: a context manager alone would add a tenth to the whole request.
        if self.files.damage:
            raise StoreUnavailableError(self.files.damage)
        try:
            rows = self._connection.execute(self._by_id, {"id": session_id}).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error
        return Session._make(rows[0]) if rows else None

    async def check(self) -> None:
        self.files.check()
        await super().check()

    async def close(self) -> None:
        self._db.close()

    async def _submit(self, work: Work[Item, Result], item: Item) -> Result:
        if self.files.damage:
            raise StoreUnavailableError(self.files.damage)
        try:
            [result] = work(self._db, [item])
        except DBAPIError as error:
            raise self._unavailable(error) from error
        if isinstance(result, Exception):
            raise result
        return result

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        if is_damage(error):
            self.files.report(str(error))
        return StoreUnavailableError(str(error))


def _find_sessions(db: Connection, items: Sequence[int]) -> list[Session | None]:
    rows = db.execute(_SESSIONS.where(_id.in_(set(items))))
    found = {row.id: Session._make(row) for row in rows}
    return [found.get(session_id) for session_id in items]


def _read_chunks(db: Connection, items: Sequence[tuple[SessionFilter, int]]) -> list[Chunk]:
    return [_read_chunk(db, chosen, rows) for chosen, rows in items]


def _read_chunk(db: Connection, chosen: SessionFilter, rows: int) -> Chunk:
    # SQLite reads a row when it is fetched; from PostgreSQL all rows arrive at once.
    statements = _LIMITED_CHUNK if db.dialect.name == "postgresql" else _CHUNK
    found: list[ListedSession] = []
    characters = 0
    with cursor(db) as fetched:
        fetched.execute(compile_sql(statements[chosen.user_id is not None], db.dialect), _values(chosen, rows))
        for row in fetched:
            found.append(row)
            characters += len(row[2])
            if characters >= _CHUNK_CHARACTERS:
                break
    # PostgreSQL limits the bytes of UTF-8, of which a character has up to four.
    return Chunk(found, is_last=len(found) < rows and characters * 4 < _CHUNK_CHARACTERS)


def _read_ids(db: Connection, items: Sequence[tuple[SessionFilter, int]]) -> list[list[int]]:
    found = (query(db, _IDS[chosen.user_id is not None], [_values(chosen, count)]) for chosen, count in items)
    return [[session_id for (session_id,) in rows] for [rows] in found]


def _values(chosen: SessionFilter, rows: int) -> dict[str, int | None]:
    return {**chosen._asdict(), "rows": rows}


def _read_keys(db: Connection, items: Sequence[str]) -> list[list[UsedKey]]:
    found = query(db, _KEYS, [{"after": after, "rows": _KEYS_AT_ONCE} for after in items])
    return [[UsedKey._make(row) for row in rows] for rows in found]


def _check(db: Connection, items: Sequence[None]) -> Sequence[None]:
    try:
        check_schema(db)
    except SchemaError as error:
        raise StoreUnavailableError(str(error)) from error
    return items
