"""The plugins that the proxy enforces, and which of their configurations applies to a request."""

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

from .cors import apply_cors
from .entities import ENTITIES
from .entities.plugin_configs import PERIODS
from .rejections import RejectedError
from .schema import Row
from .store import Store

# Which scope takes precedence, the narrowest first (kong/runloop/plugins_iterator.lua).
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
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_UNITS = {"bytes": 1, "kilobytes": 2**10, "megabytes": 2**20}


@dataclass(slots=True)
class Exchange:
    """A request on its way through the plugins, which may change its headers and those of the response."""

    request: web.Request
    url: URL
    upstream_headers: CIMultiDict[str]
    response_headers: CIMultiDict[str]
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

    The plugins are those of the last `rebuild`. Consumers, keys and groups are read from the store, since Kong
    invalidates its caches of them at each change (kong/runloop/events.lua).
    """

    def __init__(self, store: Store) -> None:
        self._store, self._rows = store, list[Row]()
        self._counts: Counter[tuple[str, str, str, float]] = Counter()  # the last is the end of the period
        self._numbers, self._instance = itertools.count(1), uuid.uuid4()
        # In the order of Kong's priorities: 100001, 2000, 1250, 990, 951, 950, 910.
        self._handlers: dict[str, Callable[[Exchange, Row], None]] = {
            "correlation-id": self._correlate,
            "cors": apply_cors,
            "key-auth": self._authenticate,
            "ip-restriction": _restrict_address,
            "request-size-limiting": _limit_size,
            "acl": self._restrict_groups,
            "rate-limiting": self._limit_rate,
        }

    def rebuild(self) -> None:
        """Apply the store's changes (kong/runloop/handler.lua, new_plugins_iterator)."""
        rows = self._store.list_rows("plugins")
        self._rows = [row for row in rows if row["enabled"] and "http" in row["protocols"]]

    def run(self, exchange: Exchange) -> None:
        """Raise `RejectedError` if a plugin responds in the upstream's place."""
        for name, handle in self._handlers.items() if self._rows else ():
            if plugin := _find_narrowest([row for row in self._rows if row["name"] == name], exchange):
                handle(exchange, plugin)

    def _authenticate(self, exchange: Exchange, plugin: Row) -> None:
        """Identify the consumer by a key: kong/plugins/key-auth/handler.lua."""
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
                    exchange.upstream_headers.popall(name, None)
                    exchange.url = exchange.url.without_query_params(name)
                break
        credentials = self._store.list_rows("keyauth_credentials")
        credential = next((row for row in credentials if [row["key"]] == keys), None)
        if credential:
            consumer = self._store.get("consumers", credential["consumer"]["id"])
            _set_consumer(exchange, consumer, credential)
        elif config["anonymous"]:
            _set_consumer(exchange, self._store.find(ENTITIES["consumers"], config["anonymous"]), None)
        elif len(keys) > 1:
            raise RejectedError(401, "Duplicate API key found", challenge)
        else:
            raise RejectedError(401, "Unauthorized" if any(keys) else "No API key found in request", challenge)

    def _restrict_groups(self, exchange: Exchange, plugin: Row) -> None:
        """Let in members of groups: kong/plugins/acl/handler.lua."""
        config = plugin["config"]
        if exchange.consumer is None:
            raise RejectedError(401, "Unauthorized")
        groups = [row["group"] for row in self._store.list_rows("acls", consumer=exchange.consumer["id"])]
        is_listed = any(group in groups for group in config["deny"] or config["allow"])
        if is_listed is bool(config["deny"]):
            if not groups and exchange.credential is None:
                raise RejectedError(401, "Unauthorized")
            raise RejectedError(403, "You cannot consume this service")
        if not config["hide_groups_header"]:
            exchange.upstream_headers["X-Consumer-Groups"] = ", ".join(groups)

    def _limit_rate(self, exchange: Exchange, plugin: Row) -> None:
        """kong/plugins/rate-limiting/handler.lua, with this process's counts (policy "local")."""
        config, now = plugin["config"], time.time()
        client = _identify_client(exchange, config)
        headers: dict[str, str] = {}
        keys, limits = [], []  # limits: (remaining, limit, seconds until the reset)
        for period in PERIODS:
            if config[period] is None:
                continue
            limit, end = int(config[period]), _find_window_end(period, now)
            keys.append((plugin["id"], client, period, end))
            remaining = limit - self._counts[keys[-1]] - 1
            limits.append((remaining, limit, max(1, int(end - now + 0.999))))
            headers[f"X-RateLimit-Limit-{period.capitalize()}"] = str(limit)
            headers[f"X-RateLimit-Remaining-{period.capitalize()}"] = str(max(remaining, 0))
        remaining, limit, reset = min(limits, key=lambda entry: entry[0])
        headers |= {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(remaining, 0)),
            "RateLimit-Reset": str(reset),
        }
        visible = {} if config["hide_client_headers"] else headers
        if remaining < 0:
            retry_after = [entry[2] for entry in limits if entry[0] < 0][-1]
            visible = visible | {"Retry-After": str(retry_after)}
            raise RejectedError(int(config["error_code"]), config["error_message"], visible)
        exchange.response_headers.update(visible)
        self._counts.update(keys)
        if len(self._counts) > 100_000:
            self._counts = Counter({key: count for key, count in self._counts.items() if key[3] > now})

    def _correlate(self, exchange: Exchange, plugin: Row) -> None:
        """Give the request an id: kong/plugins/correlation-id/handler.lua."""
        config = plugin["config"]
        name, count = config["header_name"], next(self._numbers)
        if not (value := exchange.upstream_headers.get(name)):
            value = exchange.upstream_headers[name] = {
                "uuid": str(uuid.uuid4()),
                "uuid#counter": f"{self._instance}#{count}",
                "tracker": f"{exchange.address}-{count}-{time.time():.3f}",
            }[config["generator"]]
        if config["echo_downstream"]:
            exchange.response_headers[name] = value


def _set_consumer(exchange: Exchange, consumer: Row | None, credential: Row | None) -> None:
    exchange.consumer, exchange.credential = consumer, credential
    known = consumer or {}
    headers = {
        "X-Consumer-ID": known.get("id"),
        "X-Consumer-Username": known.get("username"),
        "X-Consumer-Custom-ID": known.get("custom_id"),
        "X-Credential-Identifier": credential["id"] if credential else None,
        "X-Anonymous-Consumer": None if credential else "true",
    }
    for name, value in headers.items():
        exchange.upstream_headers.popall(name, None)
        if value:
            exchange.upstream_headers[name] = value


def _restrict_address(exchange: Exchange, plugin: Row) -> None:
    """Let in addresses: kong/plugins/ip-restriction/handler.lua."""
    config, address = plugin["config"], ip_address(exchange.address)

    def is_in(networks: list[str]) -> bool:
        return any(address in ip_network(network, strict=False) for network in networks)

    if is_in(config["deny"] or []) or (config["allow"] and not is_in(config["allow"])):
        message = config["message"] or f"IP address not allowed: {address}"
        raise RejectedError(int(config["status"] or 403), message)


def _limit_size(exchange: Exchange, plugin: Row) -> None:
    """kong/plugins/request-size-limiting/handler.lua; a body without a length is measured while it is sent."""
    config, length = plugin["config"], exchange.request.content_length
    exchange.largest_body = config["allowed_payload_size"] * _UNITS[config["size_unit"]]
    if length is None and config["require_content_length"]:
        raise RejectedError(411, "A valid Content-Length header is required")
    if (length or 0) > exchange.largest_body:
        expects = "100-continue" in exchange.request.headers.get("Expect", "").lower()
        raise RejectedError(417 if expects else 413, "Request size limit exceeded")


def _find_narrowest(plugins: list[Row], exchange: Exchange) -> Row | None:
    """Return the plugin that applies to the request and has the narrowest scope."""
    here = {
        "route": exchange.route["id"],
        "service": exchange.service["id"],
        "consumer": (exchange.consumer or {}).get("id"),
    }
    found = []
    for plugin in plugins:
        scope = {name for name in here if plugin[name]}
        if all(plugin[name]["id"] == here[name] for name in scope):
            found.append((_SCOPES.index(scope), plugin))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _identify_client(exchange: Exchange, config: Row) -> str:
    """Return by what requests are counted together: what `limit_by` names, or else the address."""
    by = {
        "consumer": (exchange.consumer or {}).get("id"),
        "credential": (exchange.credential or {}).get("id"),
        "service": exchange.service["id"],
        "header": exchange.request.headers.get(config["header_name"] or ""),
        "path": config["path"] if exchange.request.path == config["path"] else None,
    }
    return by.get(config["limit_by"]) or exchange.address


def _find_window_end(period: str, now: float) -> float:
    """Return the end of the period that contains `now`."""
    if period in _SECONDS:
        return (now // _SECONDS[period] + 1) * _SECONDS[period]
    today = datetime.fromtimestamp(now, UTC)
    year, month = (today.year, today.month + 1) if period == "month" and today.month < 12 else (today.year + 1, 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()
