"""Starts the gateway: a stand-in for Kong 3.9.3 with its Admin API and its HTTP proxy in one process.

Not here, and in Kong: a TLS listener, websockets and gRPC, plugins other than those in configs.py, hashing
balancers, clustering, DB-less mode, and the throughput of nginx.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from .admin import LARGEST_BODY, Admin
from .balancer import Balancer
from .node import VERSION
from .proxy import Proxy, bare, session
from .store import Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_GRACE = 1  # seconds that requests under way have to end, and as long again once they are cancelled

_log = logging.getLogger("offline.gateway")


async def serve(host: str, admin_port: int, proxy_port: int, state: Path | None, refresh: float) -> None:
    """Serve until SIGTERM or SIGINT; the Admin API answers only once the proxy listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(state)
    balancer = Balancer(store)
    async with session() as http:
        proxy = Proxy(http, store, balancer, refresh=refresh)
        runners = [
            await _listen(host, proxy_port, proxy.handle),
            await _listen(host, admin_port, Admin(store, balancer, refresh).handle),
        ]
        watch = asyncio.gather(balancer.watch(), proxy.take_in())
        _log.info(
            "this is a stand-in for Kong %s: admin on port %d, proxy on port %d; it has no TLS listener",
            VERSION,
            admin_port,
            proxy_port,
        )
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((stopped, watch), return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        with contextlib.suppress(asyncio.CancelledError):
            await watch  # what broke in there ends the process with its error


async def _listen(host: str, port: int, handle: Handler) -> web.AppRunner:
    app = web.Application(client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(bare)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    return runner


def main() -> None:
    parser = argparse.ArgumentParser(prog="offline.gateway", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 (it serves a network of containers)
    parser.add_argument("--admin-port", type=int, default=8001)
    parser.add_argument("--proxy-port", type=int, default=8000)
    parser.add_argument(
        "--state", type=Path, help="the file that keeps the entities; without it they are forgotten"
    )
    parser.add_argument(
        "--worker-state-update-frequency",
        dest="refresh",
        metavar="SECONDS",
        type=float,
        default=0.2,
        help="how often routes, and how often plugins, are taken in (5 in Kong); 0 is Kong's "
        "worker_consistency=strict: before each request",
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(serve(given.host, given.admin_port, given.proxy_port, given.state, given.refresh))


main()
