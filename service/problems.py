"""The errors of the service, and how each becomes a problem (RFC 9457).

ServiceError
├── RequestError                     the client must change the request
│   ├── SessionNotFoundError         404
│   ├── BodyTimeoutError             408
│   ├── KeyInUseError                409 with Retry-After
│   ├── PreconditionFailedError      412
│   ├── PayloadTooLargeError         413
│   ├── UnsupportedMediaTypeError    415
│   │   └── UnsupportedContentCodingError
│   └── InvalidRequestError          422, with `errors`
└── UnavailableError                 503 with Retry-After: a retry may succeed
    ├── OverloadedError
    │   └── SlowClientError
    ├── SequencerUnavailableError
    └── StoreUnavailableError
        └── StoreBusyError
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class ServiceError(Exception):
    """An error that determines its response."""

    status: ClassVar[HTTPStatus]
    detail: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {}


class RequestError(ServiceError):
    """The request can't be answered as it is."""


class SessionNotFoundError(RequestError):
    status = HTTPStatus.NOT_FOUND
    detail = "Session not found"


class BodyTimeoutError(RequestError):
    status = HTTPStatus.REQUEST_TIMEOUT
    detail = "The request body was not received in time"
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class KeyInUseError(RequestError):
    status = HTTPStatus.CONFLICT
    detail = "A request with this Idempotency-Key is still in progress"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class PreconditionFailedError(RequestError):
    status = HTTPStatus.PRECONDITION_FAILED
    detail = "A precondition of the request is false for the current version"


class PayloadTooLargeError(RequestError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    detail = "The context exceeds the maximum size"


class UnsupportedMediaTypeError(RequestError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    detail = "The request body must be application/json in UTF-8"


class UnsupportedContentCodingError(UnsupportedMediaTypeError):
    detail = "The request body must not have a Content-Encoding"
    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "identity"}


class InvalidRequestError(RequestError):
    """`errors` says what is wrong and where. It never repeats what was sent: a context is private."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    detail = "The request is not valid"

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        super().__init__(self.detail)
        self.errors = errors


def invalid_header(name: str, message: str, kind: str) -> InvalidRequestError:
    """Return the error of an invalid header."""
    return InvalidRequestError([{"loc": ["header", name], "msg": message, "type": kind}])


class UnavailableError(ServiceError):
    """Nothing was changed, and a retry may succeed. The message is for the log only."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class OverloadedError(UnavailableError):
    detail = "Too many concurrent requests"


class SlowClientError(OverloadedError):
    """The client was the slowest to send its body when there were too many."""

    headers: ClassVar[dict[str, str]] = {**OverloadedError.headers, "Connection": "close"}


class SequencerUnavailableError(UnavailableError):
    detail = "The Central Sequence Service did not return a usable sequence number"


class StoreUnavailableError(UnavailableError):
    detail = "The database is unavailable"


class StoreBusyError(StoreUnavailableError):
    detail = "Too many requests are waiting for the database"


def problem_response(error: Exception, instance: str) -> Response:
    """Convert any error. One that is neither ours nor the framework's is a 500 without details."""
    status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed because of an internal error"
    headers: dict[str, str] = {}
    extra: dict[str, Any] = {}
    match error:
        case ServiceError():
            status, detail, headers = error.status, error.detail, error.headers
            if isinstance(error, InvalidRequestError):
                extra = {"errors": error.errors}
        case HTTPException():
            status, detail = HTTPStatus(error.status_code), error.detail
            headers = dict(error.headers or {})
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": instance,
        **extra,
    }
    return Response(orjson.dumps(body), status.value, headers, media_type=MEDIA_TYPE)


class ProblemMiddleware:
    """Answers the errors that the app raises; replaces three of Starlette's middlewares."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                raise  # the server aborts the connection, so that the client notices the incomplete response
            instance = scope["raw_path"].decode("latin-1")  # undecoded, so that no line break gets into the log
            _log(error, f"{scope['method']} {instance}")
            if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                error.headers = {"Allow": self._allowed(scope)}
            await problem_response(error, instance)(scope, receive, send)

    def _allowed(self, scope: Scope) -> str:
        # A path may have several routes, and the router names only the methods of the first.
        routes = [r for r in self._routes if isinstance(r, Route) and r.matches(scope)[0] is not Match.NONE]
        methods = {method for route in routes for method in route.methods or ()}
        return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _log(error: Exception, request: str) -> None:
    if isinstance(error, UnavailableError):
        log.warning("%s: %s: %s", request, error.detail, error)
    elif not isinstance(error, RequestError | HTTPException):
        log.error("%s failed", request, exc_info=error)
