"""Parsers of the config values that only a Kubernetes host has."""

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress

from infra.config.parsers import InvalidValueError, matching
from infra.config.urls import HOST, database_url
from infra.paths import DATA

dns_label = matching(
    re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
    "a DNS label: up to 63 lower-case letters, digits and '-'",
    lambda value: value.strip().lower().replace("_", "-"),
)


def postgresql_url(value: str) -> str:
    """Accept the URL of a PostgreSQL. No error repeats it: it may contain a password."""
    if value.startswith("sqlite:"):
        raise InvalidValueError(
            "must start with postgresql:// on Kubernetes: pods share no disk, and SQLite keeps all in one file"
        )
    return database_url(DATA)(value)


def _list_of(is_valid: Callable[[str], bool], expected: str) -> Callable[[object], list[str]]:
    """Accept a list of such strings, without duplicates."""

    def parse(value: object) -> list[str]:
        if not isinstance(value, list):
            raise InvalidValueError(f"must be a list of {expected}")
        if wrong := [item for item in value if not isinstance(item, str) or not is_valid(item)]:
            raise InvalidValueError(f"must contain {expected}, not {', '.join(map(repr, wrong[:5]))}")
        if len(set(value)) < len(value):
            raise InvalidValueError("contains duplicates")
        return value

    return parse


def _required(parse: Callable[[object], list[str]], missing: str) -> Callable[[object], list[str]]:
    def parse_filled(value: object) -> list[str]:
        if not (items := parse(value)):
            raise InvalidValueError(f"is missing; set {missing}")
        return items

    return parse_filled


def _is_network(item: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_network(item))
    return False


def _is_label(item: str) -> bool:
    with suppress(InvalidValueError):
        return dns_label(item) == item
    return False


node_addresses = _list_of(
    lambda item: HOST.fullmatch(item) is not None, "addresses or names of nodes, without a port"
)
source_networks = _required(
    _list_of(_is_network, "networks as CIDRs, such as 10.0.9.0/24"),
    "the networks (CIDRs) that the gateway's requests come from",
)
source_namespaces = _required(
    _list_of(_is_label, "names of namespaces"), "the namespaces that the gateway's pods are in"
)
