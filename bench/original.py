"""`python -m bench.original`: the service's original shape, for comparison.

A thread for each request, an ORM session in each, SQLite with its rollback journal and full sync, and for a
create two calls of the peer, each on a connection of its own.
"""

import os
from collections.abc import Iterator
from typing import Annotated

import requests
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from bench.tables import (
    Base,
    SessionContextResponse,
    SessionRequest,
    SessionResponse,
    SessionRow,
    SessionUpdateRequest,
    to_response,
)

_URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
_PEER = os.environ.get("SEQUENCE_SERVICE_URL")
# With many connections, SQLite's default lock timeout of five seconds is too short.
_OPTIONS = {"check_same_thread": False, "timeout": 60} if _URL.startswith("sqlite") else {}

# No limit on connections: with fewer than threads, the threads would deadlock.
engine = create_engine(_URL, connect_args=_OPTIONS, pool_size=0)
SessionLocal = sessionmaker(engine)
Base.metadata.create_all(engine)
app = FastAPI()


def _db() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


Db = Annotated[Session, Depends(_db)]


def _next_number(element_id: int) -> int:
    body = {"elementType": "session", "elementId": element_id}
    response = requests.post(f"{_PEER}/sequence", json=body, timeout=30)
    response.raise_for_status()
    number: int = response.json()["sequenceNumber"]
    return number


@app.post("/sessions", status_code=201)
def create_session(new: SessionRequest, db: Db) -> SessionResponse:
    """Create a session."""
    row = SessionRow(user_id=new.user_id, context=new.context)
    if _PEER:
        row.sequence_number = _next_number(new.user_id)
    db.add(row)
    db.commit()
    db.refresh(row)
    if _PEER:
        _next_number(row.id)
    return to_response(row)


@app.get("/sessions")
def list_sessions(db: Db) -> list[SessionResponse]:
    """List all sessions."""
    return [to_response(row) for row in db.query(SessionRow).all()]


@app.put("/sessions/{session_id}")
def update_session(session_id: int, change: SessionUpdateRequest, db: Db) -> SessionResponse:
    """Change the context of a session."""
    row = _find(db, session_id)
    row.context = change.context
    db.commit()
    db.refresh(row)
    return to_response(row)


@app.get("/sessions/{session_id}/context")
def get_context(session_id: int, db: Db) -> SessionContextResponse:
    """Get the context of a session."""
    row = _find(db, session_id)
    return SessionContextResponse(session_id=row.id, context=row.context)


def _find(db: Session, session_id: int) -> SessionRow:
    row = db.query(SessionRow).filter(SessionRow.id == session_id).first()
    if row is None:
        raise HTTPException(404)
    return row


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]))
