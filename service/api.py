"""The operations: each passes the request to the rules and encodes the result."""

from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query

from service import payloads, records
from service.openapi import problem_responses
from service.parameters import CollectionPrecondition, Key, ReadPrecondition, SessionId, WritePrecondition
from service.parsing import parse_key
from service.payloads import ListQuery, encode_context, encode_session, encode_sessions
from service.preconditions import NO_PRECONDITION, Precondition, entity_tag
from service.problems import PreconditionFailedError
from service.routing import Headers, Json, JsonStream, LeanRoute, NoContent
from service.sessions import Sessions


def _headers(descriptions: dict[str, str]) -> dict[str, Any]:
    return {
        "headers": {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in descriptions.items()
        }
    }


_VERSION_HEADERS = {"ETag": "Entity tag of this version", "Last-Modified": "Time of the last change, if known"}
_WITH_VERSION = _headers(_VERSION_HEADERS)
_READ_RESPONSES = {
    200: _WITH_VERSION,
    304: {"description": "Not Modified", **_WITH_VERSION},
    **problem_responses(404, 412, 422, 500, 503),
}
# A part of a list that sends nothing: the server takes it once the client has read most of what came before. So a
# chunk is read from the database only when it can be sent.
_READ_BY_CLIENT = b""
TAG = "Sessions"
router = APIRouter(route_class=LeanRoute, tags=[TAG])


@router.post(
    "/sessions",
    operation_id="createSession",
    status_code=201,
    response_model=payloads.SessionResponse,
    responses={
        201: _headers({"Location": "Path of the new session", **_VERSION_HEADERS}),
        **problem_responses(408, 409, 412, 413, 415, 422, 500, 503),
    },
)
async def create_session(
    sessions: Sessions, new: payloads.SessionRequest, precondition: CollectionPrecondition, key: Key = None
) -> Json:
    """Create a session. With an `Idempotency-Key`, a repeated create returns the same session."""
    if precondition.fails_write(None, None):
        raise PreconditionFailedError
    session = await sessions.create_session(records.NewSession(new.user_id, new.context, parse_key(key)))
    location = (b"location", f"/sessions/{session.id}".encode())
    return Json(encode_session(session), 201, (location, *_version_headers(session)))


@router.get(
    "/sessions",
    operation_id="listSessions",
    response_model=list[payloads.Session],
    responses={
        200: _headers({"Link": 'The next page, with `rel="next"`'}),
        304: {"description": "Not Modified"},
        **problem_responses(412, 422, 500, 503),
    },
)
async def list_sessions(
    sessions: Sessions, query: Annotated[ListQuery, Query()], precondition: CollectionPrecondition
) -> Json | JsonStream | NoContent:
    """List all sessions by id, optionally filtered. `limit` paginates; `Link` points to the next page."""
    if precondition.fails(None, None):
        raise PreconditionFailedError
    if precondition.is_current(None, None):
        return NoContent(304)
    page = await sessions.list_sessions(records.SessionFilter(query.user_id, query.after), query.limit)
    headers: Headers = ()
    if page.next_after is not None:
        next_query = query.model_copy(update={"after": page.next_after})
        parameters = urlencode(next_query.model_dump(exclude_none=True, by_alias=True))
        headers = ((b"link", f'</sessions?{parameters}>; rel="next"'.encode()),)
    if page.rest is None:
        return Json(encode_sessions(page.first), 200, headers)
    return JsonStream(_encode_list(page.first, page.rest), headers)


@router.get(
    "/sessions/{sessionId}",
    operation_id="getSession",
    response_model=payloads.SessionResponse,
    responses=_READ_RESPONSES,
)
async def get_session(
    sessions: Sessions, session_id: SessionId, precondition: ReadPrecondition
) -> Json | NoContent:
    """Get a session. Send its `ETag` in `If-Match` of a later update or in `If-None-Match` of a later read."""
    return _respond(await sessions.get_session(session_id), precondition, encode_session)


@router.put(
    "/sessions/{sessionId}",
    operation_id="updateSession",
    response_model=payloads.SessionResponse,
    responses={200: _WITH_VERSION, **problem_responses(404, 408, 412, 413, 415, 422, 500, 503)},
)
async def update_session(
    sessions: Sessions,
    session_id: SessionId,
    change: payloads.SessionUpdateRequest,
    precondition: WritePrecondition,
) -> Json:
    """Update the context of a session. Each update makes a new version, even with an identical context.

    With `If-Match` the session is updated only if it has not changed since you read it, else the answer is 412.
    """
    session = await sessions.update_context(session_id, change.new_context, precondition)
    return Json(encode_session(session), 200, _version_headers(session))


@router.delete(
    "/sessions/{sessionId}",
    operation_id="deleteSession",
    status_code=204,
    response_model=None,
    responses=problem_responses(404, 412, 422, 500, 503),
)
async def delete_session(sessions: Sessions, session_id: SessionId, precondition: WritePrecondition) -> NoContent:
    """Delete a session, with `If-Match` only if it is unchanged. Its id is never reused."""
    await sessions.delete_session(session_id, precondition)
    return NoContent(204)


@router.get(
    "/sessions/{sessionId}/context",
    operation_id="getSessionContext",
    response_model=payloads.SessionContextResponse,
    responses=_READ_RESPONSES,
)
async def get_session_context(
    sessions: Sessions, session_id: SessionId, precondition: ReadPrecondition
) -> Json | NoContent:
    """Get the context of a session. With `If-None-Match` the answer is 304 if it is unchanged."""
    return _respond(await sessions.get_session(session_id), precondition, encode_context)


@router.get("/livez", include_in_schema=False)
async def livez(_: Sessions) -> Json:
    """Answer as long as the process runs."""
    return Json(b'{"status":"ok"}')


@router.get("/readyz", include_in_schema=False)
async def readyz(sessions: Sessions) -> Json:
    """Answer if sessions can be served. A peer that is down is shown, but reads need none."""
    return Json(orjson.dumps({"status": "ok", **await sessions.check()}))


def _respond(
    session: records.Session, precondition: Precondition, encode: Callable[[records.Session], bytes]
) -> Json | NoContent:
    if precondition is not NO_PRECONDITION:
        if precondition.fails(session.version, session.modified_at):
            raise PreconditionFailedError
        if precondition.is_current(session.version, session.modified_at):
            return NoContent(304, _version_headers(session))
    return Json(encode(session), 200, _version_headers(session))


def _version_headers(session: records.Session) -> Headers:
    tag = (b"etag", entity_tag(session.version).encode())
    if session.modified_at is None:
        return (tag,)
    # Another replica's clock may be ahead, and the date must not be in the future (RFC 9110, section 8.8.2.1).
    return (tag, (b"last-modified", _http_date(min(session.modified_at, int(time())))))


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


async def _encode_list(
    first: list[records.ListedSession], rest: AsyncIterator[list[records.ListedSession]]
) -> AsyncIterator[bytes]:
    yield encode_sessions(first)[:-1]
    yield _READ_BY_CLIENT
    async for chunk in rest:
        yield b"," + encode_sessions(chunk)[1:-1]
        yield _READ_BY_CLIENT
    yield b"]"
