"""What the stack asks of the gateway: limits that fit the service, and keys that stay out of URLs."""

from typing import Any

import pytest
import yaml

from infra.gateway import Access
from infra.project import ROOT
from service import sessions
from service.parsing import max_body_bytes
from service.settings import Settings


def access(**changed: object) -> Access:
    values: dict[str, object] = {
        "hostname": "a.example",
        "plain_http": "serve",
        "max_context_bytes": 1024,
        "requests_per_minute": None,
        "key_auth": False,
        "consumers": {},
        "platform_consumers": [],
        "group": "p:s",
        "certificate": None,
        "certificate_key": None,
    }
    return Access(**{**values, **changed})  # type: ignore[arg-type] # the test's values are of many types


def config(given: Access, plugin: str) -> Any:  # noqa: ANN401 - of one plugin or another
    return next((one for one in given.plugins() if one.plugin == plugin), None)


@pytest.mark.parametrize("size", [1, Settings().max_context_bytes, 4 * 2**20])
def test_the_largest_body_is_the_services_own(size: int) -> None:
    """So that the service tells a client about its context, and the gateway takes nothing it would refuse."""
    limit = config(access(max_context_bytes=size), "request-size-limiting")
    assert (limit.allowed_payload_size, limit.size_unit) == (max_body_bytes(size), "bytes")


def test_the_gateway_waits_as_long_as_a_create_may_take() -> None:
    """A create is answered within the peer's time and what the service takes beside it."""
    default = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]["readTimeout"]["default"]
    longest = Settings().sequence_timeout_seconds + sessions._SECONDS_BESIDE_THE_PEER
    assert longest <= default / 1000 <= longest + 1


def test_a_limit_counts_by_consumer_where_there_are_any() -> None:
    assert config(access(), "rate-limiting") is None
    assert config(access(requests_per_minute=5), "rate-limiting").limit_by == "ip"
    assert config(access(requests_per_minute=5, key_auth=True), "rate-limiting").limit_by == "consumer"


def test_a_key_is_taken_from_the_header_alone_and_not_passed_on() -> None:
    assert config(access(), "key-auth") is None
    guard = config(access(key_auth=True), "key-auth")
    assert (guard.key_in_header, guard.key_in_query, guard.key_in_body) == (True, False, False)
    assert guard.hide_credentials is True


def test_of_all_consumers_of_the_gateway_those_of_the_group_are_let_in() -> None:
    assert config(access(), "acl") is None
    guard = config(access(key_auth=True), "acl")
    assert (guard.allow, guard.deny, guard.hide_groups_header) == (["p:s"], None, True)
