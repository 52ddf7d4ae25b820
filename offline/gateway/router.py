"""Which route a request takes, and its path at the upstream.

Regular expressions in paths and conditions on headers are stored, and match no request.
"""

import re
from dataclasses import dataclass

from .schema import Row
from .store import Store


@dataclass(frozen=True, slots=True)
class Match:
    """A route, its service, and the prefix of the path that matched (None if the route has no paths)."""

    route: Row
    service: Row | None
    prefix: str | None

    @property
    def rank(self) -> tuple[int, bool, int, int]:
        """Sort by more conditions, plain hosts, longer paths and older routes, in this order.

        As kong/router/transform.lua, get_priority.
        """
        route = self.route
        kinds = sum(bool(route[name]) for name in ("methods", "hosts", "paths"))
        has_plain_hosts = bool(route["hosts"]) and not any("*" in host for host in route["hosts"])
        return -kinds, not has_plain_hosts, -len(self.prefix or ""), route["created_at"]

    def accepts(self, method: str, host: str, path: str) -> bool:
        return (
            (not self.route["methods"] or method in self.route["methods"])
            and (not self.route["hosts"] or any(_host_matches(pattern, host) for pattern in self.route["hosts"]))
            and path.startswith(self.prefix or "")
        )

    def upstream_path(self, path: str) -> str:
        """Join the service's path and the request's (kong/router/utils.lua, get_upstream_uri_v0)."""
        base = (self.service or {}).get("path") or "/"
        is_stripped = self.route["strip_path"] and self.prefix is not None
        rest = path[len(self.prefix or "") :] if is_stripped else path[1:]
        if rest:
            return base.removesuffix("/") + "/" + rest.removeprefix("/")
        if base.endswith("/"):
            return base if base == "/" or path.endswith("/") else base[:-1]
        return base + "/" if len(path) > 1 and path.endswith("/") else base


class Router:
    """The routes with their services in the order in which they are tried, as of the last `rebuild`."""

    def __init__(self, store: Store) -> None:
        self._store, self._version, self._matches = store, -1, list[Match]()

    def rebuild(self) -> None:
        """Apply the store's changes (kong/runloop/handler.lua, new_router)."""
        if self._version == self._store.version:
            return
        self._version = self._store.version
        services = {row["id"]: row for row in self._store.list_rows("services")}
        matches = [
            Match(route, service, path)
            for route in self._store.list_rows("routes")
            if {"http", "https"} & set(route["protocols"]) and not route["headers"]
            and ((service := services.get((route["service"] or {}).get("id"))) is None or service["enabled"])
            for path in route["paths"] or [None]
        ]  # fmt: skip
        self._matches = sorted(matches, key=lambda match: match.rank)

    def match(self, method: str, host: str, path: str) -> Match | None:
        return next((match for match in self._matches if match.accepts(method, host, path)), None)


def _host_matches(pattern: str, host: str) -> bool:
    """Case matters, as in kong/router/atc.lua; the request's port only if the route names one."""
    name = host if re.search(r":\d+$", pattern) else re.sub(r":\d+$", "", host)
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern
