"""The way from a matched route to its handler and back, without the framework's work per request."""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service.payloads import read_payload, read_session_id


class LeanRoute(APIRoute):
    """A route whose handler takes the request, then the session's id and the body if it declares them.

    The declarations make the OpenAPI document as ever. What this goes around (injection, exit stacks,
    response models) costs more than the whole work of a read.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._takes_id = bool(self.dependant.path_params)
        self._payload = self.body_field.field_info.annotation if self.body_field else None
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        arguments: list[Any] = []
        if self._takes_id:
            arguments.append(read_session_id(scope["path_params"]["sessionId"]))
        if self._payload:
            limit = scope["app"].state.settings.max_context_bytes
            arguments.append(await read_payload(request, self._payload, limit))
        response = await self.endpoint(request, *arguments)
        await response(scope, receive, send)
