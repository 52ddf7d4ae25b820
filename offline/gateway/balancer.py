"""Load balancing over the targets of an upstream, and their active and passive health checks."""

import asyncio
import ipaddress
import math
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from .checks import split_address
from .schema import Row
from .store import Store

_TICK = 0.1  # seconds between two looks for probes that are due
_REQUERY_SECONDS = 30.0  # after a lookup that found no address: kong/runloop/balancer/balancers.lua


@dataclass(eq=False, slots=True)
class Peer:
    """An address for requests; `checks` are the health checks of its upstream."""

    host: str
    port: int
    weight: int = 1
    checks: Row | None = None
    host_header: str | None = None
    is_healthy: bool = True
    is_resolved: bool | None = None  # None before the first lookup of its host
    lookup_due: float = 0.0  # when its host is looked up again
    has_open_lookup: bool = False
    has_open_probe: bool = False
    credit: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_usable(self) -> bool:
        return self.is_healthy and self.is_resolved is not False and self.weight > 0

    def record_status(self, status: int, kind: str) -> None:
        """Count a response of an "active" or "passive" check."""
        if self.checks is None:
            return
        if status in (self.checks[kind]["unhealthy"]["http_statuses"] or ()):
            self.record_failure("http_failures", kind)
        elif status in (self.checks[kind]["healthy"]["http_statuses"] or ()):
            self._count("successes", self.checks[kind]["healthy"]["successes"])

    def record_failure(self, counter: str, kind: str) -> None:
        """Count "tcp_failures", "timeouts" or "http_failures"."""
        if self.checks is not None:
            self._count(counter, self.checks[kind]["unhealthy"][counter])

    def _count(self, counter: str, limit: int | None) -> None:
        """Count a success, which resets failures, or a failure, which resets successes; a limit of 0 disables it.

        As lua-resty-healthcheck, incr_counter.
        """
        if not limit:
            return
        is_success = counter == "successes"
        for other in [name for name in self.counts if (name == "successes") is not is_success]:
            del self.counts[other]
        self.counts[counter] += 1
        if self.counts[counter] >= limit:
            self.is_healthy = is_success


class Balancer:
    """The peers of every upstream, rebuilt after each change in the store; they keep their health."""

    def __init__(self, store: Store, dns_seconds: int) -> None:
        self._store, self._version, self._dns_seconds = store, -1, dns_seconds
        self._upstreams: dict[str, Row] = {}
        self._targets: dict[str, list[Row]] = {}
        self._peers: dict[str, dict[str, Peer]] = {}
        self._due: dict[tuple[str, str], float] = {}

    def pick(self, service: Row) -> Peer | None:
        """Return the next peer of a service; None if its upstream has no healthy one.

        A retry takes the next turn, as a first try does, even of the same peer (runloop/balancer/round_robin.lua).
        """
        self._refresh()
        if (upstream := self._upstreams.get(service["host"])) is None:
            return Peer(service["host"], service["port"])
        usable = [peer for peer in self._peers[upstream["id"]].values() if peer.is_usable]
        for peer in usable:
            peer.credit += peer.weight
        best = max(usable, key=lambda peer: peer.credit, default=None)
        if best:
            best.credit -= sum(peer.weight for peer in usable)
        return best

    def get_health(self, upstream: Row, target: Row) -> str:
        """Return a target's health as the Admin API shows it (kong/db/dao/targets.lua)."""
        self._refresh()
        peer = self._peers[upstream["id"]][target["id"]]
        if not peer.is_resolved:
            return "DNS_ERROR"
        active, passive = upstream["healthchecks"]["active"], upstream["healthchecks"]["passive"]
        has_active_checks = any(active[side]["interval"] for side in ("healthy", "unhealthy"))
        has_passive_checks = any(
            passive["unhealthy"][counter] for counter in ("tcp_failures", "timeouts", "http_failures")
        )
        if not (has_active_checks or has_passive_checks):
            return "HEALTHCHECKS_OFF"
        return "HEALTHY" if peer.is_healthy else "UNHEALTHY"

    async def probe(self) -> None:
        """Run active checks until canceled, of healthy and of unhealthy targets at their intervals."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=False, ttl_dns_cache=self._dns_seconds)
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as probes:
            while True:
                self._refresh()
                now = time.monotonic()
                for peer in [peer for peers in self._peers.values() for peer in peers.values()]:
                    if now >= peer.lookup_due and not peer.has_open_lookup:
                        peer.has_open_lookup = True
                        probes.create_task(_resolve(peer, self._dns_seconds))
                for upstream in self._upstreams.values():
                    active = upstream["healthchecks"]["active"]
                    for side in ("healthy", "unhealthy"):
                        interval, key = active[side]["interval"], (upstream["id"], side)
                        if not interval or now < self._due.setdefault(key, now + interval):
                            continue
                        self._due[key] = now + interval
                        for peer in self._peers[upstream["id"]].values():
                            if peer.is_healthy is (side == "healthy") and not peer.has_open_probe:
                                peer.has_open_probe = True
                                probes.create_task(_probe(http, peer, active))
                await asyncio.sleep(_TICK)

    def _refresh(self) -> None:
        if self._version == self._store.version:
            return
        self._version = self._store.version
        before, self._peers = self._peers, {}
        self._upstreams = {row["name"]: row for row in self._store.list_rows("upstreams")}
        self._due = {key: due for key, due in self._due.items() if key[0] in before}
        for upstream in self._upstreams.values():
            peers = self._peers[upstream["id"]] = {}
            targets = self._store.list_rows("targets", upstream=upstream["id"])
            is_changed = targets != self._targets.get(upstream["id"])
            self._targets[upstream["id"]] = targets
            for target in targets:
                known = before.get(upstream["id"], {}).get(target["id"])
                peers[target["id"]] = peer = known or _create_peer(target["target"])
                if is_changed and peer.lookup_due < math.inf:  # Kong then looks all hosts up
                    peer.lookup_due = 0.0
                peer.weight, peer.checks = target["weight"], upstream["healthchecks"]
                peer.host_header = upstream["host_header"]


def _create_peer(target: str) -> Peer:
    host, port, _ = split_address(target) or (target, None, "")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return Peer(host, port or 8000)
    return Peer(host, port or 8000, is_resolved=True, lookup_due=math.inf)


async def _resolve(peer: Peer, dns_seconds: int) -> None:
    """Look a peer's host up; without an address it gets no requests until the next lookup."""
    try:
        await asyncio.get_running_loop().getaddrinfo(peer.host, peer.port)
        peer.is_resolved, seconds = True, float(dns_seconds)
    except (OSError, ValueError):  # ValueError: what no name of a host may be
        peer.is_resolved, seconds = False, _REQUERY_SECONDS
    finally:
        peer.has_open_lookup = False
    peer.lookup_due = time.monotonic() + seconds


async def _probe(http: aiohttp.ClientSession, peer: Peer, active: Row) -> None:
    """Run one active check: of HTTP by the response's status, of others by a connection."""
    url = f"{'https' if active['type'] == 'https' else 'http'}://{peer.address}{active['http_path']}"
    headers = [(name, value) for name, values in (active["headers"] or {}).items() for value in values]
    timeout = aiohttp.ClientTimeout(total=active["timeout"] or None)
    try:
        if active["type"] in ("http", "https"):
            async with http.get(url, headers=headers, timeout=timeout, allow_redirects=False) as response:
                peer.record_status(response.status, "active")
        else:
            async with asyncio.timeout(active["timeout"] or None):
                _, writer = await asyncio.open_connection(peer.host, peer.port)
            writer.close()
            peer.record_status(200, "active")
    except TimeoutError:
        peer.record_failure("timeouts", "active")
    except (aiohttp.ClientError, OSError, ValueError):  # ValueError: a name that can't be resolved
        peer.record_failure("tcp_failures", "active")
    finally:
        peer.has_open_probe = False
