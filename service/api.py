"""The operations: each hands what was asked to the rules, and writes the answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import formatdate
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import StringConstraints
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from service import payloads, records
from service.payloads import KEY_PATTERN, ListQuery, read_key, session_context_json, session_json
from service.problems import documented
from service.routing import Headers, Json, JsonStream, LeanRoute, NoContent
from service.sessions import Sessions
from service.versions import TAGS_PATTERN, entity_tag, names, read_tags

SessionId = Annotated[int, Path(alias="sessionId")]
_Tags = Annotated[str, StringConstraints(pattern=TAGS_PATTERN)]
IfMatch = Annotated[
    _Tags | SkipJsonSchema[None], Header(alias="If-Match", description="Only if its ETag is one of these")
]
IfNoneMatch = Annotated[
    _Tags | SkipJsonSchema[None], Header(alias="If-None-Match", description="Only if its ETag is none of these")
]
Key = Annotated[
    Annotated[str, StringConstraints(pattern=KEY_PATTERN)] | SkipJsonSchema[None],
    Header(alias="Idempotency-Key", description="A create that is repeated with its key answers as the first did"),
]


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _headers(**descriptions: str) -> dict[str, Any]:
    return {
        "headers": {
            name.replace("_", "-"): {"description": text, "schema": {"type": "string"}}
            for name, text in descriptions.items()
        }
    }


_VERSIONED = {"ETag": "The version", "Last_Modified": "When it came to be, where that is known"}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Not Modified", **_headers(**_VERSIONED)}}

TheSessions = Annotated[Sessions, Depends(_sessions)]
router = APIRouter(route_class=LeanRoute)


@router.post(
    "/sessions",
    operation_id="createSession",
    status_code=201,
    response_model=payloads.SessionResponse,
    responses={201: _headers(Location="Its path", **_VERSIONED), **documented(408, 409, 413, 415, 422, 500, 503)},
)
async def create_session(sessions: TheSessions, new: payloads.SessionRequest, key: Key = None) -> Json:
    """Create a session."""
    session = await sessions.create_session(records.NewSession(new.user_id, new.context, read_key(key)))
    location = (b"location", f"/sessions/{session.id}".encode())
    return Json(session_json(session), 201, (location, *_version_headers(session)))


@router.get(
    "/sessions",
    operation_id="listSessions",
    response_model=list[payloads.Session],
    responses={200: _headers(Link='The next page, with `rel="next"`'), **documented(422, 500, 503)},
)
async def list_sessions(sessions: TheSessions, query: Annotated[ListQuery, Query()]) -> JsonStream:
    """List sessions, by id: all, or those that the parameters choose."""
    page = await sessions.list_sessions(records.Query(query.user_id, query.after), query.limit)
    none: list[records.Session] = []
    first = await anext(page.pieces, none)  # a database that does not answer is told before the answer begins
    headers = {}
    if page.next_after is not None:
        next_query = query.model_copy(update={"after": page.next_after}).model_dump(
            exclude_none=True, by_alias=True
        )
        headers["Link"] = f'</sessions?{urlencode(next_query)}>; rel="next"'
    return JsonStream(_json_array(first, page.pieces), headers=headers)


@router.get(
    "/sessions/{sessionId}",
    operation_id="getSession",
    response_model=payloads.SessionResponse,
    responses={200: _headers(**_VERSIONED), **_NOT_MODIFIED, **documented(404, 422, 500, 503)},
)
async def get_session(
    sessions: TheSessions, session_id: SessionId, if_none_match: IfNoneMatch = None
) -> Json | NoContent:
    """Get a session."""
    session = await sessions.get_session(session_id)
    return _unless_known(session, if_none_match) or Json(session_json(session), 200, _version_headers(session))


@router.put(
    "/sessions/{sessionId}",
    operation_id="updateSession",
    response_model=payloads.SessionResponse,
    responses={200: _headers(**_VERSIONED), **documented(404, 408, 412, 413, 415, 422, 500, 503)},
)
async def update_session(
    sessions: TheSessions,
    session_id: SessionId,
    change: payloads.SessionUpdateRequest,
    if_match: IfMatch = None,
) -> Json:
    """Change the context of a session. Each change makes a new version, also one to the same context."""
    tags = read_tags("If-Match", if_match)
    session = await sessions.update_context(session_id, change.new_context, tags)
    return Json(session_json(session), 200, _version_headers(session))


@router.delete(
    "/sessions/{sessionId}",
    operation_id="deleteSession",
    status_code=204,
    response_model=None,
    responses=documented(404, 412, 422, 500, 503),
)
async def delete_session(sessions: TheSessions, session_id: SessionId, if_match: IfMatch = None) -> NoContent:
    """Delete a session. Its id is never used again."""
    await sessions.delete_session(session_id, read_tags("If-Match", if_match))
    return NoContent(204)


@router.get(
    "/sessions/{sessionId}/context",
    operation_id="getSessionContext",
    response_model=payloads.SessionContextResponse,
    responses={200: _headers(**_VERSIONED), **_NOT_MODIFIED, **documented(404, 422, 500, 503)},
)
async def get_session_context(
    sessions: TheSessions, session_id: SessionId, if_none_match: IfNoneMatch = None
) -> Json | NoContent:
    """Get the context of a session."""
    session = await sessions.get_session(session_id)
    return _unless_known(session, if_none_match) or Json(
        session_context_json(session), 200, _version_headers(session)
    )


@router.get("/livez", include_in_schema=False)
async def livez(_: TheSessions) -> Json:
    """The process runs."""
    return Json(b'{"status":"ok"}')


@router.get("/readyz", include_in_schema=False)
async def readyz(sessions: TheSessions) -> Json:
    """Sessions can be served. A peer that is down is told, but reads go on without it."""
    return Json(json.dumps({"status": "ok", **await sessions.check()}).encode())


def _unless_known(session: records.Session, if_none_match: str | None) -> NoContent | None:
    tags = read_tags("If-None-Match", if_none_match)
    # What a cache on the way has weakened still stands for our tag here (RFC 9110, 13.1.2).
    if tags is not None and names(tags | {tag.removeprefix("W/") for tag in tags}, session.version):
        return NoContent(304, _version_headers(session))
    return None


def _version_headers(session: records.Session) -> Headers:
    tag = (b"etag", entity_tag(session.version).encode())
    return (tag,) if session.modified_at is None else (tag, (b"last-modified", _http_date(session.modified_at)))


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


async def _json_array(
    first: list[records.Session], rest: AsyncIterator[list[records.Session]]
) -> AsyncIterator[bytes]:
    yield b"[" + b",".join(map(session_json, first))
    async for piece in rest:
        yield b"," + b",".join(map(session_json, piece))
        await asyncio.sleep(0)  # sending to a fast client does not wait, so others would
    yield b"]"
