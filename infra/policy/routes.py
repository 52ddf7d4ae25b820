"""The rules for which requests the gateway accepts, and where it forwards them."""

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import suppress

from infra.config.publish import is_private_address
from infra.policy.declared import Declared, rule, stack_rule
from infra.props import UNKNOWN

ROUTE = "kong:index:KongRoute"
SERVICE = "kong:index:KongService"
UPSTREAM = "kong:index:KongUpstream"
TARGET = "kong:index:KongTarget"
PLUGIN = "kong:index:KongPlugin"
PRIVATE_DOMAINS = (".internal", ".local", ".localhost", ".home.arpa")


@rule("narrow-route", "A route in the shared gateway matches its own host names only.", ROUTE)
def narrow_route(route: Declared) -> Iterator[str]:
    hosts = route.get("hosts")
    if hosts == UNKNOWN:
        return
    if not hosts:
        yield "matches every host name, even those of other services; set `hosts`"
    for host in hosts or []:
        if "*" in host:
            yield f"matches every host name in {host}; list the host names in `hosts`"


@stack_rule("key-auth-in-prod", "In production, only consumers with a key are admitted.")
def key_auth(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    for route in _routes_in_prod(stack):
        if not any(_applies_to(plugin, route) for plugin in _plugins(stack, "key-auth")):
            message = "requires no key; run `pulumi config set keyAuth true`, and set a key for each consumer"
            yield route.urn, message


@stack_rule("acl-in-prod", "In production, consumers of other services are not admitted.")
def own_consumers(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    groups = [plugin for plugin in _plugins(stack, "acl") if _has_allowed_groups(plugin)]
    for route in _routes_in_prod(stack):
        has_keys = any(_applies_to(plugin, route) for plugin in _plugins(stack, "key-auth"))
        if has_keys and not any(_applies_to(plugin, route) for plugin in groups):
            message = "admits every consumer of this Kong; add the acl plugin with a group in `allow`"
            yield route.urn, message


def _routes_in_prod(stack: Sequence[Declared]) -> list[Declared]:
    return [each for each in stack if each.type == ROUTE and each.in_prod]


def _plugins(stack: Sequence[Declared], name: str) -> list[Declared]:
    """Return the enabled plugins that have, or may turn out to have, this name."""
    return [
        each
        for each in stack
        if each.type == PLUGIN and each.get("name") in (name, UNKNOWN) and each.get("enabled") is not False
    ]


def _has_allowed_groups(acl: Declared) -> bool:
    config = acl.get("config")
    return config == UNKNOWN or bool((config or {}).get("allow"))


def _applies_to(plugin: Declared, route: Declared) -> bool:
    if plugin.get("consumer"):
        return False  # it applies to one consumer only
    if plugin.get("route"):
        return plugin.get("route") == UNKNOWN or route.urn in plugin.dependencies.get("route", [])
    return plugin.get("service") in (None, UNKNOWN) or plugin.get("service") == route.get("service")


@stack_rule("no-plain-http-outside", "Requests leave the private network only encrypted.")
def no_plain_http_outside(stack: Sequence[Declared]) -> Iterator[tuple[str, str]]:
    upstreams = {each.get("name"): each.urn for each in stack if each.type == UPSTREAM}
    for service in stack:
        if service.type != SERVICE or service.get("protocol") not in (None, "http"):
            continue
        host = service.get("host")
        targets = [
            str(each.get("target")).rpartition(":")[0]
            for each in stack
            if each.type == TARGET
            and each.get("target") != UNKNOWN
            and upstreams.get(host) in each.dependencies.get("upstream", [])
        ]
        for destination in targets if host in upstreams else [host]:
            if destination != UNKNOWN and not _is_private(str(destination)):
                message = f"forwards plain HTTP to {destination}; set `protocol` to https, or use a private host"
                yield service.urn, message


def _is_private(host: str) -> bool:
    """Return whether a host is a private address, a container's name, or in a domain that is never public."""
    address = host.strip("[]")
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_private or is_private_address(address)
    return "." not in host.rstrip(".") or host.rstrip(".").endswith(PRIVATE_DOMAINS)
