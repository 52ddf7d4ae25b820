"""Parsers of the config values that only a Kubernetes host has."""

import re
from collections.abc import Callable
from contextlib import suppress

from infra.config.parsers import InvalidValueError, is_network, list_of, matching
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


def _required(parse: Callable[[object], list[str]], missing: str) -> Callable[[object], list[str]]:
    def parse_filled(value: object) -> list[str]:
        if not (items := parse(value)):
            raise InvalidValueError(f"is missing; set {missing}")
        return items

    return parse_filled


def _is_label(item: str) -> bool:
    with suppress(InvalidValueError):
        return dns_label(item) == item
    return False


node_addresses = list_of(
    lambda item: HOST.fullmatch(item) is not None, "addresses or names of nodes, without a port"
)
source_networks = _required(
    list_of(is_network, "networks as CIDRs, such as 10.0.9.0/24"),
    "the networks (CIDRs) that the gateway's requests come from",
)
source_namespaces = _required(
    list_of(_is_label, "names of namespaces"), "the namespaces that the gateway's pods are in"
)
