"""Sending a request to an upstream and its response to the client, both streamed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from .balancer import Peer
from .headers import VIA, copy_end_to_end
from .plugin_handlers import Exchange

_REPEATABLE = 64 * 1024  # bytes of a body that are remembered, to be sent again
_IDLE = 4  # seconds that a connection to an upstream is kept open: less than any server does

_log = logging.getLogger(__name__)


class RequestBody:
    """The client's body; it can be read again from the start until more than _REPEATABLE bytes have passed."""

    def __init__(self, request: web.Request, largest: int | None, write_timeout: float) -> None:
        self._content, self._largest, self._write_timeout = request.content, largest, write_timeout
        self._seen: list[bytes] | None = []
        self._passed = 0
        self.deadline: asyncio.Timeout | None = None
        self.is_too_large = False

    @property
    def is_repeatable(self) -> bool:
        return self._seen is not None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._seen is None:
            raise aiohttp.ClientConnectionError("the body has already been sent")
        for chunk in tuple(self._seen):
            yield chunk
        async for chunk in self._content.iter_any():
            self._passed += len(chunk)
            if self._largest is not None and self._passed > self._largest:
                self.is_too_large = True
                raise aiohttp.ClientConnectionError("the body is larger than a plugin allows")
            if self._seen is not None:
                self._seen.append(chunk)
            if self._passed > _REPEATABLE:
                self._seen = None
            # The next chunk is asked for once this one is written; until then the write timeout runs.
            self._set_deadline(self._write_timeout)
            yield chunk
            self._set_deadline(None)

    def _set_deadline(self, seconds: float | None) -> None:
        if self.deadline and not self.deadline.expired():
            now = asyncio.get_running_loop().time()
            self.deadline.reschedule(None if seconds is None else now + seconds)


def open_session(dns_seconds: int) -> aiohttp.ClientSession:
    """Return a pool of connections to upstreams that adds no headers, and looks hosts up this seldom."""
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    http = aiohttp.ClientSession(
        trace_configs=[tracing],
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE, ttl_dns_cache=dns_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    http._retry_connection = False  # the service's `retries` decide
    return http


async def _note_reuse(
    _http: aiohttp.ClientSession, context: SimpleNamespace, _: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.append(True)


async def send_request(
    http: aiohttp.ClientSession, exchange: Exchange, peer: Peer, body: RequestBody, reused: list[bool]
) -> aiohttp.ClientResponse:
    """Send the request to a peer; `reused` gets an item if it went over a connection of the pool."""
    service, request = exchange.service, exchange.request
    scheme = "https" if service["protocol"] in ("https", "tls") else "http"
    if not exchange.route["preserve_host"]:
        default_port = {"http": 80, "https": 443}[scheme]
        host = peer.host_header or peer.address.removesuffix(f":{peer.port}")
        exchange.upstream_headers["Host"] = host if peer.port == default_port else f"{host}:{peer.port}"
    timeout = aiohttp.ClientTimeout(
        sock_connect=to_seconds(service["connect_timeout"]), sock_read=to_seconds(service["read_timeout"])
    )
    try:
        async with asyncio.timeout(None) as body.deadline:
            return await http.request(
                request.method,
                URL(f"{scheme}://{peer.address}{exchange.url}", encoded=True),
                headers=exchange.upstream_headers,
                # can_read_body would be false once a first attempt has read the body
                data=body if request.body_exists else None,
                timeout=timeout,
                allow_redirects=False,
                ssl=bool(service["tls_verify"]),
                trace_request_ctx=reused,
            )
    finally:
        body.deadline = None  # an upstream may respond before it has read everything


async def stream_response(
    request: web.Request, upstream: aiohttp.ClientResponse, added: CIMultiDict[str]
) -> web.StreamResponse:
    """Send the upstream's response with the gateway's headers to the client."""
    headers = copy_end_to_end(upstream.headers)
    headers.add("Via", VIA)
    for name in added.keys() - {"Vary"}:  # plugins replace a header of the upstream
        headers.popall(name, None)
    headers.extend(added)
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=headers)
    response["absent"] = [name for name in ("Content-Type", "Date", "Server") if name not in headers]
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # The status has been sent: only a broken connection shows the client that the response is incomplete.
        _log.warning("the response of an upstream broke off: %s", error)
        if request.transport:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


async def remove_added_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Remove the headers that aiohttp adds to an upstream's by itself."""
    for name in response.get("absent", ()):
        response.headers.popall(name, None)


def to_seconds(milliseconds: int | None) -> float:
    return (milliseconds or 60000) / 1000
