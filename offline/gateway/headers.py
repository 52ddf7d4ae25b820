"""The headers that go up and come down."""

import re

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from .answers import SERVER
from .router import Match

VIA = f"1.1 {SERVER}"
# RFC 9110, section 7.6.1, and what each side says anew
_HOP_BY_HOP = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def upstream_headers(request: web.Request, path: str, match: Match, request_id: str) -> CIMultiDict[str]:
    """The client's headers and what Kong adds about the client (kong/runloop/handler.lua, access.before)."""
    headers = end_to_end(request.headers)
    listening = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    client = request.remote or ""
    known = request.headers.get("X-Forwarded-For")
    headers["Via"] = f"{headers['Via']}, {VIA}" if "Via" in headers else VIA
    headers["X-Forwarded-For"] = f"{known}, {client}" if known else client
    headers["X-Forwarded-Proto"] = "http"
    headers["X-Forwarded-Host"] = without_port(request.host)
    headers["X-Forwarded-Port"] = str(listening)
    headers["X-Forwarded-Path"] = path
    headers.popall("X-Forwarded-Prefix", None)
    if match.route["strip_path"] and match.prefix and match.prefix != "/":
        headers["X-Forwarded-Prefix"] = match.prefix
    headers["X-Real-IP"] = client
    headers["X-Kong-Request-Id"] = request_id
    return headers


def without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host)


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict(headers)
    named = {name.strip().lower() for value in kept.getall("Connection", ()) for name in value.split(",")}
    for name in _HOP_BY_HOP | named:
        kept.popall(name, None)
    return kept
