"""Which target of an upstream gets the next request, and what active and passive health checks found out."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from .fields import Row
from .rules import split_address
from .store import Store

_TICK = 0.1  # seconds between looks at which probes are due


@dataclass(eq=False, slots=True)
class Peer:
    """An address requests go to; `checks` is the health checking of its upstream."""

    host: str
    port: int
    weight: int = 1
    checks: Row | None = None
    host_header: str | None = None
    healthy: bool = True
    probing: bool = False
    credit: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def answered(self, status: int, kind: str) -> None:
        if self.checks is None:
            return
        if status in (self.checks[kind]["unhealthy"]["http_statuses"] or ()):
            self.failed("http_failures", kind)
        elif status in (self.checks[kind]["healthy"]["http_statuses"] or ()):
            self._count("successes", self.checks[kind]["healthy"]["successes"])

    def failed(self, how: str, kind: str) -> None:
        """`how` is "tcp_failures", "timeouts" or "http_failures"."""
        if self.checks is not None:
            self._count(how, self.checks[kind]["unhealthy"][how])

    def _count(self, what: str, limit: int | None) -> None:
        """A limit of 0 switches a count off; a success forgets failures, a failure forgets successes
        (lua-resty-healthcheck, incr_counter)."""
        if not limit:
            return
        good = what == "successes"
        for other in [name for name in self.counts if (name == "successes") is not good]:
            del self.counts[other]
        self.counts[what] += 1
        if self.counts[what] >= limit:
            self.healthy = good


class Balancer:
    """The peers of every upstream, made anew when the store has changed, their health carried over."""

    def __init__(self, store: Store) -> None:
        self._store, self._version = store, -1
        self._upstreams: dict[str, Row] = {}
        self._peers: dict[str, dict[str, Peer]] = {}
        self._due: dict[tuple[str, str], float] = {}

    def pick(self, service: Row) -> Peer | None:
        """The next peer for a service; None if its upstream has no healthy one.

        A retry takes the next turn as a first try does, be it the same peer's: runloop/balancer/round_robin.lua.
        """
        self._refresh()
        if (upstream := self._upstreams.get(service["host"])) is None:
            return Peer(service["host"], service["port"])
        able = [peer for peer in self._peers[upstream["id"]].values() if peer.healthy and peer.weight]
        for peer in able:
            peer.credit += peer.weight
        best = max(able, key=lambda peer: peer.credit, default=None)
        if best:
            best.credit -= sum(peer.weight for peer in able)
        return best

    def health(self, upstream: Row, target: Row) -> str:
        self._refresh()
        active = upstream["healthchecks"]["active"]
        passive = upstream["healthchecks"]["passive"]
        watched = any(active[side]["interval"] for side in ("healthy", "unhealthy"))
        counted = any(passive["unhealthy"][how] for how in ("tcp_failures", "timeouts", "http_failures"))
        if not (watched or counted):
            return "HEALTHCHECKS_OFF"
        return "HEALTHY" if self._peers[upstream["id"]][target["id"]].healthy else "UNHEALTHY"

    async def watch(self) -> None:
        """Probes targets until cancelled: healthy ones at one interval, unhealthy ones at another."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=False)
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as probes:
            while True:
                self._refresh()
                now = time.monotonic()
                for upstream in self._upstreams.values():
                    active = upstream["healthchecks"]["active"]
                    for side in ("healthy", "unhealthy"):
                        interval, when = active[side]["interval"], (upstream["id"], side)
                        if not interval or now < self._due.setdefault(when, now + interval):
                            continue
                        self._due[when] = now + interval
                        for peer in self._peers[upstream["id"]].values():
                            if peer.healthy is (side == "healthy") and not peer.probing:
                                peer.probing = True
                                probes.create_task(_probe(http, peer, active))
                await asyncio.sleep(_TICK)

    def _refresh(self) -> None:
        if self._version == self._store.version:
            return
        self._version = self._store.version
        before, self._peers = self._peers, {}
        self._upstreams = {row["name"]: row for row in self._store.rows("upstreams")}
        self._due = {when: due for when, due in self._due.items() if when[0] in before}
        for upstream in self._upstreams.values():
            peers = self._peers[upstream["id"]] = {}
            for target in self._store.rows("targets", upstream=upstream["id"]):
                known = before.get(upstream["id"], {}).get(target["id"])
                peers[target["id"]] = peer = known or Peer(*_host_and_port(target["target"]))
                peer.weight, peer.checks = target["weight"], upstream["healthchecks"]
                peer.host_header = upstream["host_header"]


def _host_and_port(target: str) -> tuple[str, int]:
    host, port, _ = split_address(target) or (target, None, "")
    return host, port or 8000


async def _probe(http: aiohttp.ClientSession, peer: Peer, active: Row) -> None:
    """One active check; only the status of the answer counts."""
    url = f"{'https' if active['type'] == 'https' else 'http'}://{peer.address}{active['http_path']}"
    headers = [(name, value) for name, values in (active["headers"] or {}).items() for value in values]
    timeout = aiohttp.ClientTimeout(total=active["timeout"] or None)
    try:
        if active["type"] in ("http", "https"):
            async with http.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                peer.answered(answer.status, "active")
        else:
            async with asyncio.timeout(active["timeout"] or None):
                _, writer = await asyncio.open_connection(peer.host, peer.port)
            writer.close()
            peer.answered(200, "active")
    except TimeoutError:
        peer.failed("timeouts", "active")
    except (aiohttp.ClientError, OSError, ValueError):  # ValueError: a name no resolver takes
        peer.failed("tcp_failures", "active")
    finally:
        peer.probing = False
