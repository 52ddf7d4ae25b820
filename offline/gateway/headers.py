"""Headers of requests to the upstream and of its responses."""

import re

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from .rejections import SERVER
from .router import Match

VIA = f"1.1 {SERVER}"
# RFC 9110, section 7.6.1, and headers that each side sets itself
_HOP_BY_HOP = {
    "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip


def build_upstream_headers(request: web.Request, path: str, match: Match, request_id: str) -> CIMultiDict[str]:
    """Return the client's headers with those that Kong adds (kong/runloop/handler.lua, access.before)."""
    headers = copy_end_to_end(request.headers)
    port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    client = request.remote or ""
    forwarded_for = request.headers.get("X-Forwarded-For")
    headers["Via"] = f"{headers['Via']}, {VIA}" if "Via" in headers else VIA
    headers["X-Forwarded-For"] = f"{forwarded_for}, {client}" if forwarded_for else client
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = remove_port(request.host)
    headers["X-Forwarded-Port"] = str(port)
    headers["X-Forwarded-Path"] = path
    headers.popall("X-Forwarded-Prefix", None)
    if match.route["strip_path"] and match.prefix and match.prefix != "/":
        headers["X-Forwarded-Prefix"] = match.prefix
    headers["X-Real-IP"] = client
    headers["X-Kong-Request-Id"] = request_id
    return headers


def remove_port(host: str) -> str:
    return re.sub(r":\d+$", "", host)


def copy_end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return a copy without headers that concern one connection."""
    copied: CIMultiDict[str] = CIMultiDict(headers)
    named = {name.strip().lower() for value in copied.getall("Connection", ()) for name in value.split(",")}
    for name in _HOP_BY_HOP | named:
        copied.popall(name, None)
    return copied
