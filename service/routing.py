"""The way from a request to its handler and back, without the framework's work per request."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.payloads import read_payload, read_session_id


class Json(NamedTuple):
    """An answer whose JSON is written already; an ASGI app, as every answer of a handler is."""

    body: bytes
    status: int = 200

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = str(len(self.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class LeanRoute(APIRoute):
    """A FastAPI route that calls its handler by itself: with the sessions, then the id and body it declares.

    The declarations make the OpenAPI document as ever. What this goes around (injection, exit stacks,
    response models) costs more than the whole work of a read.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(path, endpoint, **options)
        self._takes_id = bool(self.dependant.path_params)
        self._payload: Any = self.body_field.field_info.annotation if self.body_field else None
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        arguments: list[Any] = [state.sessions]
        if self._takes_id:
            arguments.append(read_session_id(scope["path_params"]["sessionId"]))
        if self._payload:
            limit = state.settings.max_context_bytes
            arguments.append(await read_payload(Request(scope, receive), self._payload, limit))
        answer = await self.endpoint(*arguments)
        await answer(scope, receive, send)


class LeanRouter:
    """Finds the route of a request that has one; leaves every other request to the framework's router."""

    def __init__(self, routes: Iterable[LeanRoute], otherwise: ASGIApp) -> None:
        self._routes = [(route.path_regex.match, route.methods or set(), route) for route in routes]
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
