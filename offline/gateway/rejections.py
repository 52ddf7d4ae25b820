"""Responses of the gateway itself, in the upstream's place (kong/error_handlers.lua)."""

import json
from collections.abc import Mapping

from aiohttp import web

SERVER = "kong/3.9.3"


class RejectedError(Exception):
    """The gateway responds in the upstream's place; without a message the response has no body."""

    def __init__(self, status: int, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def build_response(self, request_id: str) -> web.Response:
        response = web.Response(status=self.status)
        if self.message:
            body = f'{{\n  "message":{json.dumps(self.message)},\n  "request_id":"{request_id}"\n}}'
            response = web.Response(status=self.status, text=body, content_type="application/json")
        response.headers.update({"Server": SERVER, "X-Kong-Request-Id": request_id} | self.headers)
        return response
