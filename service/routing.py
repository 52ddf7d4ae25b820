"""From a request to its handler and back, without the framework's work on each request."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from inspect import Signature, signature
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.parsing import parse_query, parse_session_id, read_headers, read_payload

Headers = tuple[tuple[bytes, bytes], ...]

_UNRESERVED = re.compile("[A-Za-z0-9._~-]")


class Json(NamedTuple):
    """A response of encoded JSON; an ASGI app, as all that handlers return."""

    body: bytes
    status: int = 200
    headers: Headers = ()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = str(len(self.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})  # the server omits it for HEAD


class NoContent(NamedTuple):
    """A response without a body."""

    status: int
    headers: Headers = ()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body"})


class JsonStream(StreamingResponse):
    """A response of JSON that is encoded while it is sent."""

    media_type = "application/json"

    def __init__(self, content: AsyncIterator[bytes], headers: Headers = ()) -> None:
        super().__init__(content)
        self.raw_headers += headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await NoContent(self.status_code, tuple(self.raw_headers))(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class LeanRoute(APIRoute):
    """A FastAPI route that calls its handler itself, with the sessions and what the handler declares.

    FastAPI makes the OpenAPI document from the declarations. Its own way to the handler (injection, exit stacks,
    response models) would cost more than all the work of a read. A declared header is passed as it was sent, or as
    None, and a dependency is called with the headers that it declares.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        _, *declared_parameters = signature(endpoint).parameters.values()  # the first gets the sessions
        vars(endpoint)["__signature__"] = Signature(declared_parameters)
        super().__init__(path, endpoint, **options)
        declared = self.dependant
        self._takes_id = bool(declared.path_params)
        self._headers = _header_names(declared)
        self._dependencies: list[tuple[str, Any, list[tuple[str, bytes]]]] = [
            (str(one.name), one.call, _header_names(one)) for one in declared.dependencies
        ]
        every = [self._headers, *(names for _, _, names in self._dependencies)]
        self._declared_headers = frozenset(header for names in every for _, header in names)
        # Most requests have none of these headers.
        self._without_headers = dict.fromkeys(name for name, _ in self._headers)
        self._without_headers |= {name: call() for name, call, _ in self._dependencies}
        self._query: list[tuple[str, Any]] = [
            (query.name, query.field_info.annotation) for query in declared.query_params
        ]
        self._payload: Any = (
            (self.body_field.name, self.body_field.field_info.annotation) if self.body_field else None
        )
        self.app = self._handle

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        arguments = self._read_headers(scope)
        if self._takes_id:
            arguments["session_id"] = parse_session_id(scope["path_params"]["sessionId"])
        for name, model in self._query:
            arguments[name] = parse_query(scope["query_string"], model)
        if self._payload:
            name, model = self._payload
            arguments[name] = await read_payload(scope, receive, model, state.settings.max_context_bytes)
        response = await self.endpoint(state.sessions, **arguments)
        await response(scope, receive, send)

    def _read_headers(self, scope: Scope) -> dict[str, Any]:
        """Return the arguments that come from headers."""
        sent = read_headers(scope, self._declared_headers)
        arguments = self._without_headers.copy()
        if sent:
            arguments |= {name: sent.get(header) for name, header in self._headers}
            for name, call, headers in self._dependencies:
                arguments[name] = call(**{argument: sent.get(header) for argument, header in headers})
        return arguments


def _header_names(declared: Dependant) -> list[tuple[str, bytes]]:
    """Return the argument and the header of each header parameter."""
    return [(header.name, header.alias.lower().encode()) for header in declared.header_params]


class LeanRouter:
    """Finds the route of a request; leaves what has none to the framework's router."""

    def __init__(self, routes: Iterable[LeanRoute], fallback: ASGIApp) -> None:
        self._routes = [(route.path_regex.match, _methods(route), route) for route in routes]
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        found: re.Match[str] | None
        for match, methods, route in self._routes:
            if scope["method"] in methods and (found := match(path)):
                scope["route"] = route
                scope["path_params"] = found.groupdict()
                await route.app(scope, receive, send)
                return
        await self._fallback(scope, receive, send)


def _methods(route: LeanRoute) -> set[str]:
    methods = route.methods or set()
    return methods | {"HEAD"} if "GET" in methods else methods


def normalize_path(raw_path: bytes) -> str:
    """Decode unreserved characters only, so that `%2F` is not a slash (RFC 3986, section 6.2.2.2)."""
    return re.sub("%[0-9A-Fa-f]{2}", _decode_unreserved, raw_path.decode("latin-1"))


def _decode_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]
