"""The plugin cors: kong/plugins/cors/handler.lua."""

import re
from typing import TYPE_CHECKING

from multidict import CIMultiDict
from yarl import URL

from .rejections import RejectedError
from .schema import Row

if TYPE_CHECKING:
    from .plugin_handlers import Exchange

_PLAIN = re.compile("[A-Za-z0-9.:/-]+")


def apply_cors(exchange: "Exchange", plugin: Row) -> None:
    """Set the headers for a browser. Raises `RejectedError`, with status 200, to answer a preflight request."""
    request, headers, config = exchange.request, exchange.response_headers, plugin["config"]
    origin, method = request.headers.get("Origin"), request.headers.get("Access-Control-Request-Method")
    is_preflight = request.method == "OPTIONS" and origin is not None and method is not None
    if is_preflight and config["preflight_continue"]:
        return
    _allow_origin(headers, config, origin)
    if not is_preflight:
        if config["exposed_headers"]:
            headers["Access-Control-Expose-Headers"] = ",".join(config["exposed_headers"])
        return
    requested = request.headers.get("Access-Control-Request-Headers")
    if allowed := ",".join(config["headers"] or []) or requested:
        headers["Access-Control-Allow-Headers"] = allowed
    headers["Access-Control-Allow-Methods"] = ",".join(config["methods"])
    if config["max_age"]:
        headers["Access-Control-Max-Age"] = f"{config['max_age']:g}"
    if config["private_network"] and request.headers.get("Access-Control-Request-Private-Network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    raise RejectedError(200)


def _allow_origin(headers: CIMultiDict[str], config: Row, origin: str | None) -> None:
    origins = config["origins"] or ["*"]
    allows_all = "*" in origins
    if origins != ["*"]:
        headers["Vary"] = "Origin"
    allowed = "*" if allows_all else _find_allowed(origins, origin)
    if allowed:
        headers["Access-Control-Allow-Origin"] = allowed
    if not config["credentials"] or (allows_all and origin is None):
        return
    if allows_all and origin:
        headers["Vary"], headers["Access-Control-Allow-Origin"] = "Origin", origin
    headers["Access-Control-Allow-Credentials"] = "true"


def _find_allowed(origins: list[str], origin: str | None) -> str | None:
    if len(origins) == 1 and _PLAIN.fullmatch(origins[0]):
        return origins[0]  # whatever the client's is: the browser compares
    if origin is None:
        return None
    host, normalized = _normalize(origin)
    for entry in origins:
        if _PLAIN.fullmatch(entry):
            is_found = _normalize(entry)[1] == normalized
        else:
            subject = normalized if ":" in entry else host
            is_found = re.match(f"(?:{entry.removeprefix('^').removesuffix('$')})$", subject) is not None
        if is_found:
            return normalized
    return None


def _normalize(origin: str) -> tuple[str, str]:
    """Return the host of an origin, and the origin without a default port."""
    url = URL(origin)
    return (url.host, str(url.origin())) if url.host else (origin, origin)
