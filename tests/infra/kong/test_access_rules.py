"""Who may call: the plugins that the program declares, created by the provider, at work in a route."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from uuid import uuid4

import pytest

from infra.config.access import AccessConfig
from infra.gateway import build_plugins
from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.resource_types import MembershipResource, PluginResource
from infra.kong.resources import PluginConfig, RateLimitingConfig
from infra.kong.schema.access import CONSUMER, MEMBERSHIP, PLUGIN
from tests.infra.access import OPEN
from tests.infra.kong.entities import made
from tests.offline.peers import Gateway, Site, Upstream

PAGE = "https://app.example.com"
OWN_GROUP, PLATFORM_GROUP = "session-context:test:mark", "batch-jobs"
WITH_KEYS = replace(OPEN, key_auth=True, platform_groups=[PLATFORM_GROUP])


@pytest.fixture
def site(gateway: Gateway) -> Iterator[Site]:
    upstream = Upstream()
    yield Site(gateway, upstream.address)
    upstream.stop()


class Guard:
    """Creates plugins for the site's service, and consumers with keys."""

    def __init__(self, kong: Kong, site: Site) -> None:
        self._kong, self._site = kong, site

    def apply(self, access: AccessConfig) -> None:
        for plugin in build_plugins(access, group=OWN_GROUP, max_context_bytes=1024):
            self.add(plugin)

    def add(self, config: PluginConfig, consumer: str | None = None) -> None:
        inputs = {
            "name": config.plugin,
            "service": self._site.service["id"],
            "consumer": consumer,
            "config": asdict(config),
        }
        made(PluginResource(self._kong, PLUGIN), "KongPlugin", inputs)

    def consumer(self, group: str | None) -> tuple[str, str]:
        """Return the id and the key of a consumer in a group."""
        consumer, _ = made(EntityResource(self._kong, CONSUMER), "KongConsumer", {"username": uuid4().hex})
        if group:
            membership = {"consumer": consumer, "group": group}
            made(MembershipResource(self._kong, MEMBERSHIP), "KongMembership", membership)
        key: str = self._site.gateway.made("POST", f"/consumers/{consumer}/key-auth", {})["key"]
        return consumer, key

    def status(self, key: str) -> int:
        return self._site.get(headers={"apikey": key}).status_code


@pytest.fixture
def guard(kong: Kong, site: Site) -> Guard:
    return Guard(kong, site)


def test_a_group_of_the_platform_is_admitted_beside_the_stacks_own(guard: Guard) -> None:
    guard.apply(WITH_KEYS)
    statuses = [guard.status(guard.consumer(group)[1]) for group in (OWN_GROUP, PLATFORM_GROUP, "other", None)]
    assert statuses == [200, 200, 403, 403]


def test_a_page_of_another_origin_calls_with_a_preflight_that_needs_no_key(guard: Guard, site: Site) -> None:
    guard.apply(replace(WITH_KEYS, cors_origins=[PAGE]))
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "apikey,if-match"}
    preflight = site.get(method="OPTIONS", headers={"Origin": PAGE, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,HEAD,POST,PUT,DELETE"
    assert preflight.headers["Access-Control-Allow-Headers"] == "apikey,if-match"
    assert preflight.headers["Access-Control-Max-Age"] == "3600"
    answer = site.get(headers={"Origin": PAGE, "apikey": guard.consumer(OWN_GROUP)[1]})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"].split(",")
    assert site.get(headers={"Origin": PAGE}).status_code == 401


def test_a_consumers_own_limit_goes_before_the_general_one(guard: Guard) -> None:
    guard.apply(replace(WITH_KEYS, requests_per_minute=1000))
    limited, key = guard.consumer(OWN_GROUP)
    guard.add(RateLimitingConfig(minute=3, limit_by="consumer"), consumer=limited)
    assert 429 in [guard.status(key) for _ in range(8)]  # a new minute may begin on the way, but only one
    other = guard.consumer(OWN_GROUP)[1]
    assert [guard.status(other) for _ in range(8)] == [200] * 8


@pytest.mark.parametrize(("addresses", "status"), [(["192.0.2.0/24", "2001:db8::/32"], 403), (["127.0.0.1"], 200)])
def test_only_allowed_addresses_are_admitted(guard: Guard, site: Site, addresses: list[str], status: int) -> None:
    guard.apply(replace(OPEN, addresses=addresses))
    assert site.get().status_code == status
