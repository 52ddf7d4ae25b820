"""Starts the gateway: a stand-in for Kong 3.9.3 with its Admin API and its HTTP proxy in one process.

Not here, and in Kong: a TLS listener, websockets and gRPC, plugins other than those in schemas.py, hashing
balancers, clustering, DB-less mode, and the throughput of nginx.
"""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from aiohttp import web

from .admin import LARGEST_BODY, Admin
from .balancer import Balancer
from .store import Store

_log = logging.getLogger("offline.gateway")


async def serve(host: str, admin_port: int, proxy_port: int, state: Path | None) -> None:
    """Serves until SIGTERM or SIGINT; the Admin API answers only once the proxy listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(state)
    balancer = Balancer(store)
    admin = web.Application(client_max_size=LARGEST_BODY)
    admin.router.add_route("*", "/{path:.*}", Admin(store, balancer).handle)
    runner = web.AppRunner(admin, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, admin_port).start()
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="offline.gateway", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--admin-port", type=int, default=8001)
    parser.add_argument("--proxy-port", type=int, default=8000)
    parser.add_argument(
        "--state", type=Path, help="the file that keeps the entities; without it they are forgotten"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(serve(given.host, given.admin_port, given.proxy_port, given.state))


main()
