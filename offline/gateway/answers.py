"""The answers the gateway makes itself, in the form the client accepts (kong/error_handlers.lua)."""

from collections.abc import Mapping
from html import escape

from aiohttp import web

SERVER = "kong/3.9.3"

_FORMS = {
    "application/json": '{{\n  "message":"{message}",\n  "request_id":"{request_id}"\n}}',
    "text/html": (
        "<!doctype html>\n<html>\n  <head>\n    <title>Error</title>\n  </head>\n  <body>\n"
        "    <h1>Error</h1>\n    <p>{message}.</p>\n    <p>request_id: {request_id}</p>\n  </body>\n</html>\n"
    ),
    "text/plain": "{message}\nrequest_id: {request_id}\n",
    "application/xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>{message}</message>\n'
        "  <requestid>{request_id}</requestid>\n</error>\n"
    ),
}


class TurnedAwayError(Exception):
    """The gateway answers in the upstream's place."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def answer(self, request_id: str, accept: str) -> web.Response:
        kind = next((kind for kind in _FORMS if kind in accept), "application/json")
        message = self.message.replace('"', '\\"') if kind == "application/json" else escape(self.message)
        text = _FORMS[kind].format(message=message, request_id=request_id) if self.message else ""
        answer = web.Response(status=self.status, text=text, content_type=kind, charset="utf-8")
        answer.headers.update({"Server": SERVER, "X-Kong-Request-Id": request_id} | self.headers)
        return answer
