"""Run the gateway: a stand-in for Kong 3.9.3 with its Admin API and its HTTP proxy in one process.

Unlike Kong it has no HTTP/2, no websockets and gRPC, no plugins but those in entities/plugin_configs.py, no
hashing balancers, no clustering and no DB-less mode; nor is it as fast as nginx.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from .admin import LARGEST_BODY, Admin
from .balancer import Balancer
from .forwarding import open_session, remove_added_headers
from .node import VERSION
from .proxy import Proxy
from .store import Store
from .tls import Certificates, decode_setting

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DNS_SECONDS = 600  # what Docker's DNS says, and Kong believes unless KONG_DNS_VALID_TTL says otherwise
_GRACE_SECONDS = 1  # for requests under way to finish, and as long again once they are canceled

_log = logging.getLogger("offline.gateway")


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; the Admin API answers only once the proxy listens.

    It listens for TLS if KONG_SSL_CERT and KONG_SSL_CERT_KEY are set.
    """
    host, refresh = options.host, options.refresh
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(options.state)
    default = [decode_setting(os.environ.get(name, "")) for name in ("KONG_SSL_CERT", "KONG_SSL_CERT_KEY")]
    dns_seconds = int(os.environ.get("KONG_DNS_VALID_TTL", _DNS_SECONDS))
    balancer = Balancer(store, dns_seconds)
    async with open_session(dns_seconds) as http:
        proxy = Proxy(http, store, balancer, refresh=refresh)
        runners = [await _listen(host, options.proxy_port, proxy.handle)]
        if all(default):
            secure = Certificates(store, *default).context
            runners.append(await _listen(host, options.proxy_ssl_port, proxy.handle, secure))
        runners.append(await _listen(host, options.admin_port, Admin(store, balancer, refresh).handle))
        background = asyncio.gather(balancer.probe(), proxy.apply_changes())
        _log.info("stand-in for Kong %s: admin on port %d", VERSION, options.admin_port)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((stopped, background), return_when=asyncio.FIRST_COMPLETED)
        background.cancel()
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        with contextlib.suppress(asyncio.CancelledError):
            await background  # an error in it ends the process with that error


async def _listen(host: str, port: int, handle: Handler, secure: ssl.SSLContext | None = None) -> web.AppRunner:
    app = web.Application(client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(remove_added_headers)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,
        shutdown_timeout=_GRACE_SECONDS,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024, ssl_context=secure).start()
    return runner


def main() -> None:
    parser = argparse.ArgumentParser(prog="offline.gateway", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - it serves a network of containers
    parser.add_argument("--admin-port", type=int, default=8001)
    parser.add_argument("--proxy-port", type=int, default=8000)
    parser.add_argument("--proxy-ssl-port", type=int, default=8443)
    parser.add_argument("--state", type=Path, help="file that stores the entities; without it they are lost")
    parser.add_argument(
        "--worker-state-update-frequency",
        dest="refresh",
        metavar="SECONDS",
        type=float,
        default=0.2,
        help="how often changes of routes and of plugins are applied (5 in Kong); 0 applies them before each "
        "request, as Kong's worker_consistency=strict",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(serve(options))


main()
