"""`python -m bench.plain`: a plain good service as it is usually written today, for comparison.

FastAPI, SQLAlchemy's async ORM on aiosqlite or asyncpg, a write-ahead log with full sync, one pooled HTTP
client, response models, ETags, keyset pages, and a list that is streamed.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import event, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bench.tables import (
    Base,
    SessionContextResponse,
    SessionRequest,
    SessionResponse,
    SessionRow,
    SessionUpdateRequest,
    to_response,
)

_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_scheme, _, _rest = os.environ["DATABASE_URL"].partition("://")
_PEER = os.environ.get("SEQUENCE_SERVICE_URL")
_ROWS_AT_ONCE = 1000

engine = create_async_engine(
    f"{_DRIVERS[_scheme]}://{_rest}", connect_args={"timeout": 60} if _scheme == "sqlite" else {}
)
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def _run(app: FastAPI) -> AsyncIterator[None]:
    if _scheme == "sqlite":
        event.listen(engine.sync_engine, "connect", _on_connect)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with httpx.AsyncClient(base_url=_PEER or "", timeout=30) as http:
        app.state.http = http
        yield
    await engine.dispose()


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


async def _db() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as db:
        yield db


Db = Annotated[AsyncSession, Depends(_db)]
IfNoneMatch = Annotated[str | None, Header()]
app = FastAPI(lifespan=_run)


@app.post("/sessions", status_code=201)
async def create_session(new: SessionRequest, db: Db, response: Response) -> SessionResponse:
    """Create a session."""
    row = SessionRow(user_id=new.user_id, context=new.context)
    if _PEER:  # before the transaction, so that none waits for the peer
        body = {"elementType": "session", "elementId": new.user_id}
        numbered = await app.state.http.post("/sequence", json=body)
        numbered.raise_for_status()
        row.sequence_number = numbered.json()["sequenceNumber"]
    db.add(row)
    await db.commit()
    response.headers["ETag"] = f'"{row.version}"'
    return to_response(row)


@app.get("/sessions", response_model=list[SessionResponse])
async def list_sessions(
    db: Db, response: Response, limit: int | None = None, after: int = 0
) -> list[SessionResponse] | StreamingResponse:
    """List the sessions of a page, or all in a stream."""
    if limit is None:
        return StreamingResponse(_all(), media_type="application/json")
    rows = select(SessionRow).where(SessionRow.id > after).order_by(SessionRow.id).limit(limit)
    found = (await db.scalars(rows)).all()
    if found:
        response.headers["Link"] = f'</sessions?limit={limit}&after={found[-1].id}>; rel="next"'
    return [to_response(row) for row in found]


async def _all() -> AsyncIterator[str]:
    async with SessionLocal() as db:
        rows = await db.stream_scalars(
            select(SessionRow).order_by(SessionRow.id).execution_options(yield_per=_ROWS_AT_ONCE)
        )
        before = "["
        async for some in rows.partitions():
            yield before + ",".join(to_response(row).model_dump_json(by_alias=True) for row in some)
            before = ","
        yield "]" if before == "," else "[]"


@app.put("/sessions/{session_id}")
async def update_session(
    session_id: int, change: SessionUpdateRequest, db: Db, response: Response
) -> SessionResponse:
    """Change the context of a session."""
    row = await _find(db, session_id)
    row.context = change.context
    row.version += 1
    await db.commit()
    response.headers["ETag"] = f'"{row.version}"'
    return to_response(row)


@app.get("/sessions/{session_id}/context", response_model=SessionContextResponse)
async def get_context(
    session_id: int, db: Db, response: Response, if_none_match: IfNoneMatch = None
) -> SessionContextResponse | Response:
    """Get the context of a session, unless the client has it."""
    row = await _find(db, session_id)
    tag = {"ETag": f'"{row.version}"'}
    if if_none_match == tag["ETag"]:
        return Response(status_code=304, headers=tag)
    response.headers.update(tag)
    return SessionContextResponse(session_id=row.id, context=row.context)


async def _find(db: AsyncSession, session_id: int) -> SessionRow:
    row = await db.get(SessionRow, session_id)
    if row is None:
        raise HTTPException(404)
    return row


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools")
