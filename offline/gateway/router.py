"""Which route a request takes, and the path it goes on with."""

import re
from dataclasses import dataclass, field

from multidict import CIMultiDictProxy

from . import paths
from .fields import Row
from .store import Store


@dataclass(frozen=True, slots=True)
class Match:
    """A route, its service, and the beginning of the path that matched (None if the route has no paths)."""

    route: Row
    service: Row | None
    prefix: str | None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A route by one of its paths; rules are tried in the order of `rank`."""

    route: Row
    service: Row | None
    path: str | None
    pattern: re.Pattern[str] | None = field(init=False)

    def __post_init__(self) -> None:
        regex = self.path is not None and self.path.startswith("~")
        object.__setattr__(self, "pattern", paths.regex(self.path[1:]) if regex and self.path else None)

    @property
    def rank(self) -> tuple[int, bool, int, bool, int, int]:
        """More conditions first, then plain hosts, regexes, longer paths, older routes
        (kong/router/transform.lua, get_priority)."""
        route = self.route
        kinds = sum(bool(route[name]) for name in ("methods", "hosts", "headers", "paths"))
        plain = bool(route["hosts"]) and not any("*" in host for host in route["hosts"])
        weight = (route["regex_priority"] or 0) if self.pattern else len(self.path or "")
        return -kinds, not plain, -len(route["headers"] or ()), not self.pattern, -weight, route["created_at"]

    def prefix(self, method: str, host: str, path: str, headers: CIMultiDictProxy[str]) -> str | None:
        """What matched of the path ("" if the route has no paths), or None if this rule does not fit."""
        route = self.route
        if route["methods"] and method not in route["methods"]:
            return None
        if route["hosts"] and not any(_host_fits(pattern, host) for pattern in route["hosts"]):
            return None
        for name, values in (route["headers"] or {}).items():
            sent = [value.lower() for value in headers.getall(name, ())]
            if not any(_value_fits(wanted.lower(), value) for wanted in values for value in sent):
                return None
        if self.pattern:
            found = self.pattern.match(path)
            return found[0] if found else None
        return (self.path or "") if path.startswith(self.path or "") else None


class Router:
    """Routes with their services, in the order they are tried; they are those of the last `rebuild`."""

    def __init__(self, store: Store) -> None:
        self._store, self._version, self._rules = store, -1, list[_Rule]()

    def rebuild(self) -> None:
        """Take in the store's changes (kong/runloop/handler.lua, new_router)."""
        if self._version == self._store.version:
            return
        self._version = self._store.version
        services = {row["id"]: row for row in self._store.rows("services")}
        rules = [
            _Rule(route, service, path)
            for route in self._store.rows("routes")
            if {"http", "https"} & set(route["protocols"])
            and ((service := services.get((route["service"] or {}).get("id"))) is None or service["enabled"])
            for path in route["paths"] or [None]
        ]
        self._rules = sorted(rules, key=lambda rule: rule.rank)

    def match(self, method: str, host: str, path: str, headers: CIMultiDictProxy[str]) -> Match | None:
        for rule in self._rules:
            prefix = rule.prefix(method, host, path, headers)
            if prefix is not None:
                return Match(rule.route, rule.service, None if rule.path is None else prefix)
        return None


def _value_fits(wanted: str, value: str) -> bool:
    return bool(paths.regex(wanted[2:]).search(value)) if wanted.startswith("~*") else wanted == value


def _host_fits(pattern: str, host: str) -> bool:
    """Case counts, as in kong/router/atc.lua; the request's port only if the route names one."""
    name = host if re.search(r":\d+$", pattern) else re.sub(r":\d+$", "", host)
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def upstream_path(match: Match, path: str) -> str:
    """The service's path and the request's put together (kong/router/utils.lua, get_upstream_uri_v0)."""
    base = (match.service or {}).get("path") or "/"
    stripped = match.route["strip_path"] and match.prefix is not None
    rest = path[len(match.prefix or "") :] if stripped else path[1:]
    if rest:
        return base.removesuffix("/") + "/" + rest.removeprefix("/")
    if base.endswith("/"):
        return base if base == "/" or path.endswith("/") else base[:-1]
    return base + "/" if len(path) > 1 and path.endswith("/") else base
