"""The proxy: find a route for each request, run its plugins, and try the upstream's targets in turn."""

import asyncio
import logging
import re
import time
import uuid

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from .balancer import Balancer
from .forwarding import RequestBody, send_request, stream_response, to_seconds
from .headers import VIA, build_upstream_headers, remove_port
from .paths import escape_path, is_bad_path, normalize_path
from .plugin_handlers import Exchange, Plugins
from .rejections import RejectedError
from .router import Router
from .store import Store

# Not sent again once it may have arrived: nginx, ngx_http_upstream_next
_NOT_REPEATED = {"POST", "LOCK", "PATCH"}

_log = logging.getLogger(__name__)


class Proxy:
    """Handles the requests of the proxy port."""

    def __init__(self, http: aiohttp.ClientSession, store: Store, balancer: Balancer, *, refresh: float) -> None:
        self._http, self._balancer, self._refresh = http, balancer, refresh
        self._router, self._plugins = Router(store), Plugins(store)
        self._rebuild()

    def _rebuild(self) -> None:
        self._router.rebuild()
        self._plugins.rebuild()

    async def apply_changes(self) -> None:
        """Apply changes of routes and of plugins until canceled, by two timers as each worker of Kong does.

        Kong's timers keep no order (kong/runloop/handler.lua, init_worker.after). Here plugins follow a quarter of
        a period after routes, so that clients that rely on an order see a route before the plugin that guards it.
        """
        while self._refresh:
            self._router.rebuild()
            await asyncio.sleep(self._refresh / 4)
            self._plugins.rebuild()
            await asyncio.sleep(self._refresh * 3 / 4)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started, request_id = time.monotonic(), uuid.uuid4().hex
        headers: CIMultiDict[str] = CIMultiDict({"X-Kong-Request-Id": request_id})
        try:
            exchange = self._prepare(request, request_id, headers)
            upstream, waited = await self._send(exchange)
            async with upstream:
                spent = time.monotonic() - started
                headers["X-Kong-Upstream-Latency"] = str(round(waited * 1000))
                headers["X-Kong-Proxy-Latency"] = str(max(0, round((spent - waited) * 1000)))
                return await stream_response(request, upstream, headers)
        except RejectedError as rejection:
            response = rejection.build_response(request_id)
            response.headers.extend(
                {name: value for name, value in headers.items() if name not in response.headers}
            )
            latency = str(round((time.monotonic() - started) * 1000))
            if rejection.status in (502, 504):  # an upstream was tried
                response.headers.update(
                    {"Via": VIA, "X-Kong-Upstream-Latency": latency, "X-Kong-Proxy-Latency": "0"}
                )
            else:
                response.headers["X-Kong-Response-Latency"] = latency
            return response

    def _prepare(self, request: web.Request, request_id: str, headers: CIMultiDict[str]) -> Exchange:
        """Find the route and run the plugins. Raises `RejectedError`."""
        raw_path, mark, query = request.raw_path.partition("?")
        raw_path = re.sub("^https?://[^/]*", "", raw_path) or "/"
        if is_bad_path(raw_path):
            raise RejectedError(400, "Bad request")
        path = normalize_path(raw_path)
        if not self._refresh:
            self._rebuild()
        match = self._router.match(request.method, request.host, path)
        if match is None or (request.secure and "https" not in match.route["protocols"]):
            raise RejectedError(404, "no Route matched with those values")
        if not request.secure and "http" not in match.route["protocols"]:
            status = match.route["https_redirect_status_code"]
            if status == 426:
                upgrade = {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"}
                raise RejectedError(426, "Please use HTTPS protocol", upgrade)
            location = f"https://{remove_port(request.host)}{request.raw_path}"
            raise RejectedError(status, headers={"Location": location})
        if match.service is None:
            raise RejectedError(503, "no Service found with those values")
        upstream_headers = build_upstream_headers(request, raw_path, match, request_id)
        url = URL(escape_path(match.upstream_path(path)) + mark + query, encoded=True)
        exchange = Exchange(request, url, upstream_headers, headers, match.route, match.service)
        self._plugins.run(exchange)
        return exchange

    async def _send(self, exchange: Exchange) -> tuple[aiohttp.ClientResponse, float]:
        """Try as many targets as the service allows; return the response and the seconds it took."""
        service, request = exchange.service, exchange.request
        body = RequestBody(request, exchange.largest_body, to_seconds(service["write_timeout"]))
        started = time.monotonic()
        tries = 1 + (service["retries"] or 0)
        while True:
            peer = self._balancer.pick(service)
            if peer is None:
                raise RejectedError(503, "failure to get a peer from the ring-balancer")
            tries -= 1
            reused: list[bool] = []
            may_repeat = request.method not in _NOT_REPEATED and body.is_repeatable
            try:
                response = await send_request(self._http, exchange, peer, body, reused)
            except aiohttp.ClientConnectorDNSError:
                rejection = RejectedError(503, "name resolution failed")
                # A service that names the host itself has no other target.
                may_repeat = peer.checks is not None
            except (aiohttp.ConnectionTimeoutError, TimeoutError) as error:
                peer.record_failure("timeouts", "passive")
                rejection = RejectedError(504, "The upstream server is timing out")
                may_repeat = isinstance(error, aiohttp.ConnectionTimeoutError) or (
                    may_repeat and body.is_repeatable
                )
            except (aiohttp.ClientError, OSError) as error:
                _log.warning("%s failed a %s: %r", peer.address, request.method, error)
                if body.is_too_large:
                    raise RejectedError(413, "Request size limit exceeded") from error
                rejection = RejectedError(502, "An invalid response was received from the upstream server")
                may_repeat = isinstance(error, aiohttp.ClientConnectorError) or (may_repeat and body.is_repeatable)
                tries += len(reused)  # nginx does not count a try over a pooled connection that was closed
                if (
                    tries and may_repeat
                ):  # kong/init.lua counts a failure before a retry, else the response's status
                    peer.record_failure("tcp_failures", "passive")
                else:
                    peer.record_status(rejection.status, "passive")
            else:
                peer.record_status(response.status, "passive")
                return response, time.monotonic() - started
            if not (tries and may_repeat):
                raise rejection
