"""The configs of the gateway's plugins: limits that fit the service, and keys that stay out of URLs."""

import json
from dataclasses import replace
from typing import TypeVar

import pytest
import yaml

from infra.config.access import AccessConfig
from infra.gateway import CORS_EXPOSED_HEADERS, build_plugins
from infra.kong.resources import (
    AclConfig,
    CorsConfig,
    IpRestrictionConfig,
    KeyAuthConfig,
    PluginConfig,
    RateLimitingConfig,
    RequestSizeLimitingConfig,
)
from infra.paths import ROOT
from service import sessions
from service.parsing import max_body_bytes
from service.settings import Settings
from tests.infra.access import OPEN

WITH_KEYS = replace(OPEN, key_auth=True)

_Config = TypeVar("_Config", bound=PluginConfig)


def find(kind: type[_Config], access: AccessConfig, max_context_bytes: int = 1024) -> _Config | None:
    plugins = build_plugins(access, group="p:s", max_context_bytes=max_context_bytes)
    return next((config for config in plugins if isinstance(config, kind)), None)


@pytest.mark.parametrize("size", [1, Settings().max_context_bytes, 4 * 2**20])
def test_the_largest_body_is_the_services_own(size: int) -> None:
    """So the service reports a context that is too large, and the gateway forwards no body it would reject."""
    limit = find(RequestSizeLimitingConfig, OPEN, size)
    assert limit is not None
    assert (limit.allowed_payload_size, limit.size_unit) == (max_body_bytes(size), "bytes")


def test_the_gateway_waits_as_long_as_a_create_may_take() -> None:
    """A create takes at most the sequence service's timeout plus the service's own time."""
    default = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]["readTimeout"]["default"]
    longest = Settings().sequence_timeout_seconds + sessions.SECONDS_BESIDE_THE_PEER
    assert longest <= default / 1000 <= longest + 1


def test_the_rate_limit_counts_by_consumer_if_there_are_any() -> None:
    assert find(RateLimitingConfig, OPEN) is None
    by_address = find(RateLimitingConfig, replace(OPEN, requests_per_minute=5))
    by_consumer = find(RateLimitingConfig, replace(WITH_KEYS, requests_per_minute=5))
    assert by_address is not None
    assert by_consumer is not None
    assert (by_address.limit_by, by_consumer.limit_by) == ("ip", "consumer")


def test_a_key_is_read_from_the_header_only_and_not_forwarded() -> None:
    assert find(KeyAuthConfig, OPEN) is None
    config = find(KeyAuthConfig, WITH_KEYS)
    assert config is not None
    assert (config.key_in_header, config.key_in_query, config.key_in_body) == (True, False, False)
    assert config.hide_credentials is True


def test_only_consumers_in_the_group_are_admitted() -> None:
    assert find(AclConfig, OPEN) is None
    config = find(AclConfig, WITH_KEYS)
    assert config is not None
    assert (config.allow, config.deny, config.hide_groups_header) == (["p:s"], None, True)
    config = find(AclConfig, replace(WITH_KEYS, platform_groups=["staff"]))
    assert config is not None
    assert config.allow == ["p:s", "staff"]


def test_only_the_allowed_addresses_are_admitted() -> None:
    assert find(IpRestrictionConfig, OPEN) is None
    config = find(IpRestrictionConfig, replace(OPEN, addresses=["203.0.113.0/24"]))
    assert config is not None
    assert (config.allow, config.deny) == (["203.0.113.0/24"], None)


def test_pages_of_other_origins_read_all_headers_that_the_api_documents() -> None:
    assert find(CorsConfig, OPEN) is None
    config = find(CorsConfig, replace(OPEN, cors_origins=["https://app.example.com"]))
    assert config is not None
    operations = [
        operation
        for path in json.loads((ROOT / "openapi.json").read_text())["paths"].values()
        for operation in path.values()
    ]
    documented = {
        name
        for operation in operations
        for response in operation["responses"].values()
        for name in response.get("headers", {})
    }
    assert documented <= set(CORS_EXPOSED_HEADERS)
    assert config.exposed_headers == CORS_EXPOSED_HEADERS
