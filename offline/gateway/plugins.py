"""The plugins the proxy enforces, and which configuration of each applies to a request."""

import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from .answers import TurnedAwayError
from .fields import Row
from .schemas import ENTITIES
from .store import Store

# Which scope wins, the narrowest first (kong/runloop/plugins_iterator.lua).
_SCOPES = (
    {"route", "service", "consumer"},
    {"route", "consumer"},
    {"service", "consumer"},
    {"route", "service"},
    {"consumer"},
    {"route"},
    {"service"},
    set[str](),
)
_UNITS = {"bytes": 1, "kilobytes": 2**10, "megabytes": 2**20}


@dataclass(slots=True)
class Exchange:
    """A request on its way through the plugins, which may change what goes up and what comes back down."""

    request: web.Request
    url: URL
    up: CIMultiDict[str]
    down: CIMultiDict[str]
    route: Row
    service: Row
    consumer: Row | None = None
    credential: Row | None = None
    largest_body: int | None = None

    @property
    def address(self) -> str:
        return self.request.remote or ""


class Plugins:
    """Runs the enabled plugins of a request's route, service and consumer, and the global ones.

    The plugins are those of the last `rebuild`; consumers, their keys and their groups are asked of the store, as
    Kong's caches are told of each change at once (kong/runloop/events.lua).
    """

    def __init__(self, store: Store) -> None:
        self._store, self._rows = store, list[Row]()
        self._counts: Counter[tuple[str, str, str, int]] = Counter()
        self._numbers = itertools.count(1)
        self._run = uuid.uuid4()
        # In the order of Kong's priorities: 100001, 1250, 990, 951, 950, 910.
        self._steps: dict[str, Callable[[Exchange, Row], None]] = {
            "correlation-id": self._correlate,
            "key-auth": self._key_auth,
            "ip-restriction": _restrict_address,
            "request-size-limiting": _limit_size,
            "acl": self._members_only,
            "rate-limiting": self._limit_rate,
        }

    def rebuild(self) -> None:
        """Take in the store's changes (kong/runloop/handler.lua, new_plugins_iterator)."""
        self._rows = [row for row in self._store.rows("plugins") if row["enabled"] and "http" in row["protocols"]]

    def run(self, exchange: Exchange) -> None:
        """Raises TurnedAwayError when a plugin answers in the upstream's place."""
        for name, step in self._steps.items() if self._rows else ():
            if plugin := _narrowest([row for row in self._rows if row["name"] == name], exchange):
                step(exchange, plugin)

    def _key_auth(self, exchange: Exchange, plugin: Row) -> None:
        """kong/plugins/key-auth/handler.lua"""
        config, request = plugin["config"], exchange.request
        if request.method == "OPTIONS" and not config["run_on_preflight"]:
            return
        challenge = {"WWW-Authenticate": f'Key realm="{config["realm"]}"' if config["realm"] else "Key"}
        keys: list[str] = []
        for name in config["key_names"]:
            if config["key_in_header"]:
                keys = request.headers.getall(name, [])
            if config["key_in_query"] and not keys:
                keys = request.query.getall(name, [])
            if keys:
                if config["hide_credentials"] and len(keys) == 1:
                    exchange.up.popall(name, None)
                    exchange.url = exchange.url.without_query_params(name)
                break
        credential = next((row for row in self._store.rows("keyauth_credentials") if [row["key"]] == keys), None)
        if credential:
            self._admit(exchange, self._store.get("consumers", credential["consumer"]["id"]), credential)
        elif config["anonymous"]:
            self._admit(exchange, self._store.find(ENTITIES["consumers"], config["anonymous"]), None)
        elif len(keys) > 1:
            raise TurnedAwayError(401, "Duplicate API key found", challenge)
        else:
            raise TurnedAwayError(401, "Unauthorized" if any(keys) else "No API key found in request", challenge)

    def _admit(self, exchange: Exchange, consumer: Row | None, credential: Row | None) -> None:
        exchange.consumer, exchange.credential = consumer, credential
        known = consumer or {}
        told = {
            "X-Consumer-ID": known.get("id"),
            "X-Consumer-Username": known.get("username"),
            "X-Consumer-Custom-ID": known.get("custom_id"),
            "X-Credential-Identifier": credential["id"] if credential else None,
            "X-Anonymous-Consumer": None if credential else "true",
        }
        for name, value in told.items():
            exchange.up.popall(name, None)
            if value:
                exchange.up[name] = value

    def _members_only(self, exchange: Exchange, plugin: Row) -> None:
        """kong/plugins/acl/handler.lua"""
        config = plugin["config"]
        if exchange.consumer is None:
            raise TurnedAwayError(401, "Unauthorized")
        groups = [row["group"] for row in self._store.rows("acls", consumer=exchange.consumer["id"])]
        is_listed = any(group in groups for group in config["deny"] or config["allow"])
        if is_listed is bool(config["deny"]):
            if not groups and exchange.credential is None:
                raise TurnedAwayError(401, "Unauthorized")
            raise TurnedAwayError(403, "You cannot consume this service")
        if not config["hide_groups_header"]:
            exchange.up["X-Consumer-Groups"] = ", ".join(groups)

    def _limit_rate(self, exchange: Exchange, plugin: Row) -> None:
        """kong/plugins/rate-limiting/handler.lua, with the counts of this process (policy "local")."""
        config, now = plugin["config"], time.time()
        who = _counted_by(exchange, config)
        told, left_least, over = {}, None, None
        for period, (start, length) in _windows(now).items():
            if (limit := config[period]) is None:
                continue
            key = (plugin["id"], who, period, start)
            left = int(limit) - self._counts[key] - 1
            told[f"X-RateLimit-Limit-{period.capitalize()}"] = str(int(limit))
            told[f"X-RateLimit-Remaining-{period.capitalize()}"] = str(max(left, 0))
            reset = max(1, int(start + length - now + 0.999))
            if left_least is None or left < left_least[0]:
                left_least = (left, int(limit), reset)
            if left < 0:
                over = reset
        if left_least:
            told["RateLimit-Limit"] = str(left_least[1])
            told["RateLimit-Remaining"] = str(max(left_least[0], 0))
            told["RateLimit-Reset"] = str(left_least[2])
        shown = {} if config["hide_client_headers"] else told
        if over is not None:
            raise TurnedAwayError(
                int(config["error_code"]), config["error_message"], shown | {"Retry-After": str(over)}
            )
        exchange.down.update(shown)
        for period, (start, _) in _windows(now).items():
            self._counts[plugin["id"], who, period, start] += 1
        if len(self._counts) > 100_000:  # windows that are over are of no use
            ends = {period: start for period, (start, _) in _windows(now).items()}
            self._counts = Counter({key: n for key, n in self._counts.items() if key[3] >= ends[key[2]]})

    def _correlate(self, exchange: Exchange, plugin: Row) -> None:
        """kong/plugins/correlation-id/handler.lua"""
        config = plugin["config"]
        name, count = config["header_name"], next(self._numbers)
        if not (value := exchange.up.get(name)):
            value = exchange.up[name] = {
                "uuid": str(uuid.uuid4()),
                "uuid#counter": f"{self._run}#{count}",
                "tracker": f"{exchange.address}-{count}-{time.time():.3f}",
            }[config["generator"]]
        if config["echo_downstream"]:
            exchange.down[name] = value


def _restrict_address(exchange: Exchange, plugin: Row) -> None:
    """kong/plugins/ip-restriction/handler.lua"""
    config, address = plugin["config"], ip_address(exchange.address)

    def is_in(networks: list[str]) -> bool:
        return any(address in ip_network(network, strict=False) for network in networks)

    if is_in(config["deny"] or []) or (config["allow"] and not is_in(config["allow"])):
        message = config["message"] or f"IP address not allowed: {address}"
        raise TurnedAwayError(int(config["status"] or 403), message)


def _limit_size(exchange: Exchange, plugin: Row) -> None:
    """kong/plugins/request-size-limiting/handler.lua; a body without a length is measured as it passes."""
    config, length = plugin["config"], exchange.request.content_length
    exchange.largest_body = config["allowed_payload_size"] * _UNITS[config["size_unit"]]
    if length is None and config["require_content_length"]:
        raise TurnedAwayError(411, "A valid Content-Length header is required")
    if (length or 0) > exchange.largest_body:
        expects = "100-continue" in exchange.request.headers.get("Expect", "").lower()
        raise TurnedAwayError(417 if expects else 413, "Request size limit exceeded")


def _narrowest(plugins: list[Row], exchange: Exchange) -> Row | None:
    here = {
        "route": exchange.route["id"],
        "service": exchange.service["id"],
        "consumer": (exchange.consumer or {}).get("id"),
    }
    fitting = []
    for plugin in plugins:
        scope = {name for name in here if plugin[name]}
        if all(plugin[name]["id"] == here[name] for name in scope):
            fitting.append((_SCOPES.index(scope), plugin))
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _counted_by(exchange: Exchange, config: Row) -> str:
    """Whose requests are counted together; without the thing to count by it is the address."""
    by = {
        "consumer": (exchange.consumer or {}).get("id"),
        "credential": (exchange.credential or {}).get("id"),
        "service": exchange.service["id"],
        "header": exchange.request.headers.get(config["header_name"] or ""),
        "path": config["path"] if exchange.request.path == config["path"] else None,
    }
    return by.get(config["limit_by"]) or exchange.address


def _windows(now: float) -> dict[str, tuple[int, int]]:
    """Start and length in seconds of the period that now is in, for each period."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month, year = today.replace(day=1), today.replace(day=1, month=1)
    next_month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    fixed = {name: (int(now) // n * n, n) for name, n in (("second", 1), ("minute", 60), ("hour", 3600))}
    return fixed | {
        "day": (int(today.timestamp()), 86400),
        "month": (int(month.timestamp()), (next_month - month).days * 86400),
        "year": (int(year.timestamp()), (year.replace(year=year.year + 1) - year).days * 86400),
    }
