"""The way from a request to its handler and back, without the framework's work per request."""

import re
from collections.abc import Callable, Iterable
from inspect import Signature, signature
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.parsing import parse_query, parse_session_id, read_payload

Headers = tuple[tuple[bytes, bytes], ...]

_UNRESERVED = re.compile("[A-Za-z0-9._~-]")


class Json(NamedTuple):
    """An answer whose JSON is written already; an ASGI app, as every answer of a handler is."""

    body: bytes
    status: int = 200
    headers: Headers = ()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = str(len(self.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})  # the server leaves it out for HEAD


class NoContent(NamedTuple):
    """An answer that says all in its status and headers."""

    status: int
    headers: Headers = ()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body"})


class JsonStream(StreamingResponse):
    """JSON that is written as it is sent."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await NoContent(self.status_code, tuple(self.raw_headers))(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class LeanRoute(APIRoute):
    """A FastAPI route that calls its handler by itself: with the sessions, and what it declares to take.

    The declarations make the OpenAPI document as ever. What this goes around (injection, exit stacks,
    response models) costs more than the whole work of a read. A header comes as it was sent, or None; a dependency
    that declares headers is called with them.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        _, *declared_parameters = signature(endpoint).parameters.values()  # the first gets the sessions
        vars(endpoint)["__signature__"] = Signature(declared_parameters)
        super().__init__(path, endpoint, **options)
        declared = self.dependant
        self._takes_id = bool(declared.path_params)
        self._headers = _fields_of(declared)
        self._dependencies: list[tuple[str, Any, list[tuple[str, bytes]]]] = [
            (str(one.name), one.call, _fields_of(one)) for one in declared.dependencies if one.header_params
        ]
        every = [self._headers, *(fields for _, _, fields in self._dependencies)]
        self._declared_headers = frozenset(header for fields in every for _, header in fields)
        # Most requests have none of them.
        self._without_headers = dict.fromkeys(name for name, _ in self._headers)
        self._without_headers |= {name: read() for name, read, _ in self._dependencies}
        self._query: list[tuple[str, Any]] = [
            (query.name, query.field_info.annotation) for query in declared.query_params
        ]
        self._payload: Any = (
            (self.body_field.name, self.body_field.field_info.annotation) if self.body_field else None
        )
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        arguments = self._read_headers(scope)
        if self._takes_id:
            arguments["session_id"] = parse_session_id(scope["path_params"]["sessionId"])
        for name, model in self._query:
            arguments[name] = parse_query(scope["query_string"], model)
        if self._payload:
            name, model = self._payload
            limit = state.settings.max_context_bytes
            arguments[name] = await read_payload(scope, receive, model, limit)
        answer = await self.endpoint(state.sessions, **arguments)
        await answer(scope, receive, send)

    def _read_headers(self, scope: Scope) -> dict[str, Any]:
        """The arguments that come from headers; several headers of one name are as one."""
        sent: dict[bytes, str] = {}
        for header, value in scope["headers"]:
            if header in self._declared_headers:
                text = value.decode("latin-1")
                sent[header] = f"{sent[header]}, {text}" if header in sent else text
        arguments = self._without_headers.copy()
        if sent:
            arguments |= {name: sent.get(header) for name, header in self._headers}
            for name, read, fields in self._dependencies:
                arguments[name] = read(**{field: sent.get(header) for field, header in fields})
        return arguments


def _fields_of(declared: Dependant) -> list[tuple[str, bytes]]:
    return [(header.name, header.alias.lower().encode()) for header in declared.header_params]


class LeanRouter:
    """Finds the route of a request that has one; leaves every other request to the framework's router."""

    def __init__(self, routes: Iterable[LeanRoute], otherwise: ASGIApp) -> None:
        self._routes = [(route.path_regex.match, _methods(route), route) for route in routes]
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        found: re.Match[str] | None
        for match, methods, route in self._routes:
            if scope["method"] in methods and (found := match(path)):
                scope["route"] = route
                scope["path_params"] = found.groupdict()
                await route.app(scope, receive, send)
                return
        await self._otherwise(scope, receive, send)


def _methods(route: LeanRoute) -> set[str]:
    methods = route.methods or set()
    return methods | {"HEAD"} if "GET" in methods else methods


def normalize_path(raw_path: bytes) -> str:
    """A path in which only what has no meaning of its own is decoded, so that `%2F` is not `/` and `%0A` is kept.

    RFC 3986, section 6.2.2.2.
    """
    return re.sub("%[0-9A-Fa-f]{2}", _decode_unreserved, raw_path.decode("latin-1"))


def _decode_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]
