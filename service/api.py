"""The operations: each hands what was asked to the rules, and writes the answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import StreamingResponse

from service import payloads, store
from service.payloads import session_context_json, session_json
from service.problems import documented
from service.routing import Json, LeanRoute
from service.sessions import Sessions

SessionId = Annotated[int, Path(alias="sessionId")]


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


TheSessions = Annotated[Sessions, Depends(_sessions)]
router = APIRouter(route_class=LeanRoute)


@router.post(
    "/sessions",
    operation_id="createSession",
    status_code=201,
    response_model=payloads.SessionResponse,
    responses=documented(413, 415, 422, 500, 503),
)
async def create_session(sessions: TheSessions, new: payloads.SessionRequest) -> Json:
    """Create a session."""
    session = await sessions.create_session(new.user_id, new.context)
    return Json(session_json(session), 201)


@router.get(
    "/sessions",
    operation_id="listSessions",
    response_model=list[payloads.Session],
    responses=documented(500, 503),
)
async def list_sessions(sessions: TheSessions) -> StreamingResponse:
    """List all sessions, by id."""
    pieces = sessions.list_sessions()
    none: list[store.Session] = []
    first = await anext(pieces, none)  # a database that does not answer is told before the answer begins
    return StreamingResponse(_json_array(first, pieces), media_type="application/json")


@router.put(
    "/sessions/{sessionId}",
    operation_id="updateSession",
    response_model=payloads.SessionResponse,
    responses=documented(404, 413, 415, 422, 500, 503),
)
async def update_session(
    sessions: TheSessions, session_id: SessionId, change: payloads.SessionUpdateRequest
) -> Json:
    """Change the context of a session."""
    session = await sessions.update_context(session_id, change.new_context)
    return Json(session_json(session))


@router.get(
    "/sessions/{sessionId}/context",
    operation_id="getSessionContext",
    response_model=payloads.SessionContextResponse,
    responses=documented(404, 422, 500, 503),
)
async def get_session_context(sessions: TheSessions, session_id: SessionId) -> Json:
    """Get the context of a session."""
    session = await sessions.get_session(session_id)
    return Json(session_context_json(session))


@router.get("/livez", include_in_schema=False)
async def livez(_: TheSessions) -> Json:
    """The process runs."""
    return Json(b'{"status":"ok"}')


@router.get("/readyz", include_in_schema=False)
async def readyz(sessions: TheSessions) -> Json:
    """Sessions can be served. A peer that is down is told, but reads go on without it."""
    return Json(json.dumps({"status": "ok", **await sessions.check()}).encode())


async def _json_array(
    first: list[store.Session], rest: AsyncIterator[list[store.Session]]
) -> AsyncIterator[bytes]:
    yield b"[" + b",".join(map(session_json, first))
    async for piece in rest:
        yield b"," + b",".join(map(session_json, piece))
        await asyncio.sleep(0)  # sending to a fast client does not wait, so others would
    yield b"]"
