"""The proxy: one request in, a route, a target, and both bodies streamed through."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from .answers import TurnedAwayError
from .balancer import Balancer, Peer
from .headers import VIA, end_to_end, upstream_headers, without_port
from .paths import escaped, is_bad, normalized
from .plugins import Exchange, Plugins
from .router import Router, upstream_path
from .store import Store

_log = logging.getLogger(__name__)

_REPEATABLE = 64 * 1024  # bytes of a body remembered so that it can be sent again
_IDLE = 4  # seconds a connection to an upstream waits for its next request: less than any server keeps one open
# What is not sent again once it may have arrived: nginx, ngx_http_upstream_next
_NOT_REPEATED = {"POST", "LOCK", "PATCH"}


class _Body:
    """The client's body; it can be read again from the start until more than _REPEATABLE bytes passed."""

    def __init__(self, request: web.Request, largest: int | None, write_timeout: float) -> None:
        self._content, self._largest, self._write_timeout = request.content, largest, write_timeout
        self._seen: list[bytes] | None = []
        self._passed = 0
        self.deadline: asyncio.Timeout | None = None
        self.too_large = False

    @property
    def repeatable(self) -> bool:
        return self._seen is not None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._seen is None:
            raise aiohttp.ClientConnectionError("the body has already been sent")
        for chunk in tuple(self._seen):
            yield chunk
        async for chunk in self._content.iter_any():
            self._passed += len(chunk)
            if self._largest is not None and self._passed > self._largest:
                self.too_large = True
                raise aiohttp.ClientConnectionError("the body is larger than a plugin allows")
            if self._seen is not None:
                self._seen.append(chunk)
            if self._passed > _REPEATABLE:
                self._seen = None
            # The next chunk is asked for once this one is written: until then the upstream's time runs.
            self._expire_in(self._write_timeout)
            yield chunk
            self._expire_in(None)

    def _expire_in(self, seconds: float | None) -> None:
        if self.deadline and not self.deadline.expired():
            now = asyncio.get_running_loop().time()
            self.deadline.reschedule(None if seconds is None else now + seconds)


class Proxy:
    """Answers the requests of the proxy port."""

    def __init__(self, http: aiohttp.ClientSession, store: Store, balancer: Balancer, *, refresh: float) -> None:
        self._http, self._balancer, self._refresh = http, balancer, refresh
        self._router, self._plugins = Router(store), Plugins(store)
        self._rebuild()

    def _rebuild(self) -> None:
        self._router.rebuild()
        self._plugins.rebuild()

    async def take_in(self) -> None:
        """Take in changed routes and changed plugins until cancelled, by two timers as each worker of Kong does.

        Kong's keep no order (kong/runloop/handler.lua, init_worker.after). Here plugins come a quarter of a period
        after routes, so that whoever relies on an order sees a route before the plugin that guards it.
        """
        while self._refresh:
            self._router.rebuild()
            await asyncio.sleep(self._refresh / 4)
            self._plugins.rebuild()
            await asyncio.sleep(self._refresh * 3 / 4)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started, request_id = time.monotonic(), uuid.uuid4().hex
        down: CIMultiDict[str] = CIMultiDict({"X-Kong-Request-Id": request_id})
        try:
            exchange = self._admitted(request, request_id, down)
            upstream, waited = await self._send(exchange)
            async with upstream:
                spent = time.monotonic() - started
                down["X-Kong-Upstream-Latency"] = str(round(waited * 1000))
                down["X-Kong-Proxy-Latency"] = str(max(0, round((spent - waited) * 1000)))
                return await _stream(request, upstream, down)
        except TurnedAwayError as refusal:
            answer = refusal.answer(request_id, request.headers)
            answer.headers.extend({name: value for name, value in down.items() if name not in answer.headers})
            latency = str(round((time.monotonic() - started) * 1000))
            if refusal.status in (502, 504):  # an upstream was asked
                answer.headers.update(
                    {"Via": VIA, "X-Kong-Upstream-Latency": latency, "X-Kong-Proxy-Latency": "0"}
                )
            else:
                answer.headers["X-Kong-Response-Latency"] = latency
            return answer

    def _admitted(self, request: web.Request, request_id: str, down: CIMultiDict[str]) -> Exchange:
        raw_path, mark, query = request.raw_path.partition("?")
        raw_path = re.sub("^https?://[^/]*", "", raw_path) or "/"
        if is_bad(raw_path):
            raise TurnedAwayError(400, "Bad request")
        path = normalized(raw_path)
        if not self._refresh:
            self._rebuild()
        match = self._router.match(request.method, request.host, path, request.headers)
        if match is None:
            raise TurnedAwayError(404, "no Route matched with those values")
        if "http" not in match.route["protocols"]:
            status = match.route["https_redirect_status_code"]
            if status == 426:
                upgrade = {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"}
                raise TurnedAwayError(426, "Please use HTTPS protocol", upgrade)
            raise TurnedAwayError(
                status, "", {"Location": f"https://{without_port(request.host)}{request.raw_path}"}
            )
        if match.service is None:
            raise TurnedAwayError(503, "no Service found with those values")
        up = upstream_headers(request, raw_path, match, request_id)
        url = URL(escaped(upstream_path(match, path)) + mark + query, encoded=True)
        exchange = Exchange(request, url, up, down, match.route, match.service)
        self._plugins.run(exchange)
        return exchange

    async def _send(self, exchange: Exchange) -> tuple[aiohttp.ClientResponse, float]:
        """The upstream's answer and the seconds it took; tries as many targets as the service allows."""
        service, request = exchange.service, exchange.request
        body = _Body(request, exchange.largest_body, _seconds(service["write_timeout"]))
        started = time.monotonic()
        tries = 1 + (service["retries"] or 0)
        while True:
            peer = self._balancer.pick(service)
            if peer is None:
                raise TurnedAwayError(503, "failure to get a peer from the ring-balancer")
            tries -= 1
            reused: list[bool] = []
            again = request.method not in _NOT_REPEATED and body.repeatable
            try:
                answer = await self._ask(exchange, peer, body, reused)
            except aiohttp.ClientConnectorDNSError:
                refusal = TurnedAwayError(503, "name resolution failed")
                # Where the service names the host itself there is no other.
                again = peer.checks is not None
            except (aiohttp.ConnectionTimeoutError, TimeoutError) as error:
                peer.failed("timeouts", "passive")
                refusal = TurnedAwayError(504, "The upstream server is timing out")
                again = isinstance(error, aiohttp.ConnectionTimeoutError) or (again and body.repeatable)
            except (aiohttp.ClientError, OSError) as error:
                _log.warning("%s failed a %s: %r", peer.address, request.method, error)
                if body.too_large:
                    raise TurnedAwayError(413, "Request size limit exceeded") from error
                refusal = TurnedAwayError(502, "An invalid response was received from the upstream server")
                again = isinstance(error, aiohttp.ClientConnectorError) or (again and body.repeatable)
                tries += len(reused)  # nginx: that a connection of the pool was closed costs no try
                if tries and again:  # kong/init.lua counts a failure when it tries again, and else the answer
                    peer.failed("tcp_failures", "passive")
                else:
                    peer.answered(refusal.status, "passive")
            else:
                peer.answered(answer.status, "passive")
                return answer, time.monotonic() - started
            if not (tries and again):
                raise refusal

    async def _ask(
        self, exchange: Exchange, peer: Peer, body: _Body, reused: list[bool]
    ) -> aiohttp.ClientResponse:
        service, request = exchange.service, exchange.request
        scheme = "https" if service["protocol"] in ("https", "tls") else "http"
        if not exchange.route["preserve_host"]:
            usual = {"http": 80, "https": 443}[scheme]
            host = peer.host_header or peer.address.removesuffix(f":{peer.port}")
            exchange.up["Host"] = host if peer.port == usual else f"{host}:{peer.port}"
        timeout = aiohttp.ClientTimeout(
            sock_connect=_seconds(service["connect_timeout"]), sock_read=_seconds(service["read_timeout"])
        )
        try:
            async with asyncio.timeout(None) as body.deadline:
                return await self._http.request(
                    request.method,
                    URL(f"{scheme}://{peer.address}{exchange.url}", encoded=True),
                    headers=exchange.up,
                    # not can_read_body: that turns false once a first attempt has read the body
                    data=body if request.body_exists else None,
                    timeout=timeout,
                    allow_redirects=False,
                    ssl=bool(service["tls_verify"]),
                    trace_request_ctx=reused,
                )
        finally:
            body.deadline = None  # an upstream may answer first and go on reading


def session() -> aiohttp.ClientSession:
    """A pool of connections to upstreams that passes on what it is given and adds nothing of its own."""
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    http = aiohttp.ClientSession(
        trace_configs=[tracing],
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE, ttl_dns_cache=1),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    http._retry_connection = False  # the service's `retries` say how often
    return http


async def _note_reuse(
    _http: aiohttp.ClientSession, context: SimpleNamespace, _: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.append(True)


async def bare(_request: web.BaseRequest, answer: web.StreamResponse) -> None:
    """Takes off what aiohttp adds to an upstream's headers by itself."""
    for name in answer.get("absent", ()):
        answer.headers.popall(name, None)


async def _stream(
    request: web.Request, upstream: aiohttp.ClientResponse, down: CIMultiDict[str]
) -> web.StreamResponse:
    headers = end_to_end(upstream.headers)
    headers.add("Via", VIA)
    for name in down:  # plugins set a header, and add none beside the upstream's
        headers.popall(name, None)
    headers.extend(down)
    answer = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=headers)
    answer["absent"] = [name for name in ("Content-Type", "Date", "Server") if name not in headers]
    await answer.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await answer.write(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # The status is sent: only a broken connection can still tell the client that this is not all.
        _log.warning("an answer broke off: %s", error)
        if request.transport:
            request.transport.abort()
        return answer
    await answer.write_eof()
    return answer


def _seconds(milliseconds: int | None) -> float:
    return (milliseconds or 60000) / 1000
