"""`python -m bench.bare`: the limit of the server, which sends recorded responses and does no work."""

import json
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from service.__main__ import serve
from service.settings import load_settings

_responses: dict[str, Any] = json.loads(Path(os.environ["RESPONSES"]).read_text())
_heads = {
    kind: {
        "type": "http.response.start",
        "status": response["status"],
        "headers": [(name.lower().encode(), value.encode()) for name, value in response["headers"]],
    }
    for kind, response in _responses.items()
}
_bodies = {
    kind: {"type": "http.response.body", "body": response["body"].encode()}
    for kind, response in _responses.items()
}


class Bare(FastAPI):
    """Sends recorded responses, in the same server as the service."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        kind = _kind(scope)
        if kind in ("create", "update"):
            await receive()
        await send(_heads[kind])
        await send(_bodies[kind])


def _kind(scope: Scope) -> str:
    if scope["method"] != "GET":
        return "create" if scope["method"] == "POST" else "update"
    if scope["path"].endswith("/context"):
        return "not modified" if any(name == b"if-none-match" for name, _ in scope["headers"]) else "read"
    return "deep page" if b"after" in scope["query_string"] else "first page"


if __name__ == "__main__":
    app = Bare()
    app.state.settings = load_settings()
    serve(app)
