"""Which requests two routes of Kong have in common, by their hosts and paths."""

from typing import NamedTuple

from infra.kong.provider.errors import Json
from infra.props import Props


class Overlap(NamedTuple):
    """The hosts and paths that both routes match; without paths, both match every path."""

    hosts: list[str]
    paths: list[str]

    def __str__(self) -> str:
        hosts, paths = ", ".join(self.hosts), ", ".join(self.paths)
        return f"host {hosts} and {f'path {paths}' if paths else 'every path'}"


def find_overlap(mine: Props, theirs: Json) -> Overlap | None:
    """Return what a route has in common with another one that has hosts; None if that is nothing.

    A path that begins with another one's is not in common with it: Kong prefers the longer one.
    """
    patterns = theirs.get("hosts") or []
    hosts = [host for host in mine["hosts"] or [] if any(_covers(pattern, host) for pattern in patterns)]
    own, others = mine["paths"] or [], theirs.get("paths") or []
    paths = [path for path in own if path in others] if own and others else own or others
    if not hosts or (own and others and not paths):
        return None
    return Overlap(hosts, paths)


def _covers(pattern: str, host: str) -> bool:
    """Return whether a host of a route, which may begin or end with a `*`, is or covers another."""
    pattern, host = pattern.lower(), host.lower()
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    if pattern.endswith("*"):
        return host.startswith(pattern[:-1])
    return host == pattern
