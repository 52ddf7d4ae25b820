"""The rules for what the gateway lets in, and where it leads to."""

import ipaddress
from collections.abc import Iterator, Sequence

from infra.policy.declared import Declared
from infra.props import UNKNOWN

ROUTE = "kong:index:KongRoute"
SERVICE = "kong:index:KongService"
UPSTREAM = "kong:index:KongUpstream"
TARGET = "kong:index:KongTarget"
PLUGIN = "kong:index:KongPlugin"
PRIVATE_DOMAINS = (".internal", ".local", ".localhost", ".home.arpa")


def narrow_route(route: Declared) -> Iterator[str]:
    hosts = route.given("hosts")
    if hosts == UNKNOWN:
        return
    if not hosts:
        yield "it takes requests for every host name, also those of other services: set `hosts`"
    for host in hosts or []:
        if "*" in host:
            yield f"it takes requests for every name in {host}: list the host names in `hosts`"


def key_auth(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    for route in _routes_in_prod(stack):
        if not any(_guards(plugin, route) for plugin in _plugins(stack, "key-auth")):
            message = "everybody may call it: `pulumi config set keyAuth true`, and give each consumer a key"
            yield route.urn, message


def own_consumers(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    groups = [plugin for plugin in _plugins(stack, "acl") if _allows(plugin)]
    for route in _routes_in_prod(stack):
        has_keys = any(_guards(plugin, route) for plugin in _plugins(stack, "key-auth"))
        if has_keys and not any(_guards(plugin, route) for plugin in groups):
            message = "every consumer of the whole Kong may call it: name a group in `allow` of the plugin acl"
            yield route.urn, message


def _routes_in_prod(stack: Sequence[Declared]) -> list[Declared]:
    return [each for each in stack if each.type == ROUTE and each.in_prod]


def _plugins(stack: Sequence[Declared], name: str) -> list[Declared]:
    """Those that are, or may turn out to be, of a name, and are not switched off."""
    return [
        each
        for each in stack
        if each.type == PLUGIN and each.given("name") in (name, UNKNOWN) and each.given("enabled") is not False
    ]


def _allows(acl: Declared) -> bool:
    config = acl.given("config")
    return config == UNKNOWN or bool((config or {}).get("allow"))


def _guards(plugin: Declared, route: Declared) -> bool:
    if plugin.given("consumer"):
        return False  # it holds for one consumer alone
    if plugin.given("route"):
        return plugin.given("route") == UNKNOWN or route.urn in plugin.dependencies.get("route", [])
    return plugin.given("service") in (None, UNKNOWN) or plugin.given("service") == route.given("service")


def plain_http_stays_private(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    upstreams = {each.given("name"): each.urn for each in stack if each.type == UPSTREAM}
    for service in stack:
        if service.type != SERVICE or service.given("protocol") not in (None, "http"):
            continue
        host = service.given("host")
        targets = [
            str(each.given("target")).rpartition(":")[0]
            for each in stack
            if each.type == TARGET
            and each.given("target") != UNKNOWN
            and upstreams.get(host) in each.dependencies.get("upstream", [])
        ]
        for reached in targets if host in upstreams else [host]:
            if reached != UNKNOWN and not _is_private(str(reached)):
                message = f"requests go to {reached} in the clear: set `protocol` to https, or name a private host"
                yield service.urn, message


def _is_private(host: str) -> bool:
    """A private address, a name without a domain, as containers have, or one in a domain that is never public."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").endswith(PRIVATE_DOMAINS)
