"""The answers the gateway makes itself, in the form the client accepts (kong/error_handlers.lua)."""

import re
from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from aiohttp import web

SERVER = "kong/3.9.3"

_FORMS = {
    "application/json": '{{\n  "message":"{message}",\n  "request_id":"{request_id}"\n}}',
    "text/html": (
        '<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n'
        "  <body>\n    <h1>Error</h1>\n    <p>{message}.</p>\n    <p>request_id: {request_id}</p>\n"
        "  </body>\n</html>\n"
    ),
    "text/plain": "{message}\nrequest_id: {request_id}\n",
    "application/xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>{message}</message>\n'
        "  <requestid>{request_id}</requestid>\n</error>\n"
    ),
}
_NGINX = (400, 502, 504)  # are made by nginx, which passes them on to Kong for their form


class TurnedAwayError(Exception):
    """The gateway answers in the upstream's place."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def answer(self, request_id: str, asked: Mapping[str, str]) -> web.Response:
        kind = self._kind(asked)
        message = self.message.replace('"', '\\"') if kind == "application/json" else escape(self.message)
        text = _FORMS[kind].format(message=message, request_id=request_id)
        answer = web.Response(status=self.status, text=text, content_type=kind, charset="utf-8")
        if not self.message:
            title = f"{self.status} {HTTPStatus(self.status).phrase}"
            page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
            page += f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
            answer = web.Response(status=self.status, body=page.encode(), content_type="text/html")
        answer.headers.update({"Server": SERVER, "X-Kong-Request-Id": request_id} | self.headers)
        return answer

    def _kind(self, asked: Mapping[str, str]) -> str:
        """The first of those that the client likes best (kong/tools/http.lua, get_response_type)."""
        accept = asked.get("Accept", "")
        if not accept and self.status in _NGINX:
            accept = asked.get("Content-Type", "text/plain")
        best, kind = 0.0, "application/json"
        for part in accept.split(","):
            name, _, parameters = part.strip().partition(";")
            found = re.search(r"q=([01](?:\.\d{0,3})?)", parameters)
            if (quality := float(found[1]) if found else 1.0) > best:
                best, kind = quality, name if name in _FORMS else kind
        return kind
