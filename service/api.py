"""The operations: each hands what was asked to the rules, and writes the answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service import payloads, store
from service.payloads import session_context_json, session_json
from service.problems import documented
from service.routing import LeanRoute
from service.sessions import Sessions

_JSON = "application/json"

SessionId = Annotated[int, Path(alias="sessionId")]

router = APIRouter(route_class=LeanRoute)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


@router.post(
    "/sessions",
    operation_id="createSession",
    status_code=201,
    response_model=payloads.SessionResponse,
    responses=documented(413, 415, 422, 500, 503),
)
async def create_session(request: Request, new: payloads.SessionRequest) -> Response:
    """Create a session."""
    session = await _sessions(request).create_session(new.user_id, new.context)
    return Response(session_json(session), 201, media_type=_JSON)


@router.get(
    "/sessions",
    operation_id="listSessions",
    response_model=list[payloads.Session],
    responses=documented(500, 503),
)
async def list_sessions(request: Request) -> Response:
    """List all sessions, by id."""
    pieces = _sessions(request).list_sessions()
    first = await anext(pieces, [])  # a database that does not answer is told before the answer begins
    return StreamingResponse(_json_array(first, pieces, request), media_type=_JSON)


@router.put(
    "/sessions/{sessionId}",
    operation_id="updateSession",
    response_model=payloads.SessionResponse,
    responses=documented(404, 413, 415, 422, 500, 503),
)
async def update_session(
    request: Request, session_id: SessionId, change: payloads.SessionUpdateRequest
) -> Response:
    """Change the context of a session."""
    session = await _sessions(request).update_context(session_id, change.new_context)
    return Response(session_json(session), media_type=_JSON)


@router.get(
    "/sessions/{sessionId}/context",
    operation_id="getSessionContext",
    response_model=payloads.SessionContextResponse,
    responses=documented(404, 422, 500, 503),
)
async def get_session_context(request: Request, session_id: SessionId) -> Response:
    """Get the context of a session."""
    session = await _sessions(request).get_session(session_id)
    return Response(session_context_json(session), media_type=_JSON)


@router.get("/livez", include_in_schema=False)
async def livez(_: Request) -> Response:
    """The process runs."""
    return Response(b'{"status":"ok"}', media_type=_JSON)


@router.get("/readyz", include_in_schema=False)
async def readyz(request: Request) -> Response:
    """Sessions can be served. A peer that is down is told, but reads go on without it."""
    return Response(json.dumps({"status": "ok", **await _sessions(request).check()}), media_type=_JSON)


async def _json_array(
    first: list[store.Session], rest: AsyncIterator[list[store.Session]], request: Request
) -> AsyncIterator[bytes]:
    yield b"[" + b",".join(map(session_json, first))
    async for piece in rest:
        if await request.is_disconnected():
            return
        yield b"," + b",".join(map(session_json, piece))
        await asyncio.sleep(0)  # sending to a fast client does not wait, so others would
    yield b"]"
