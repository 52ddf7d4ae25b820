"""What the stack asks of the gateway: limits that fit the service, and keys that stay out of URLs."""

import pytest

from infra.gateway import Access
from service import payloads
from service.settings import Settings


def access(**changed: object) -> Access:
    values: dict[str, object] = {
        "hostname": "a.example",
        "plain_http": "serve",
        "max_context_bytes": 1024,
        "requests_per_minute": None,
        "key_auth": False,
        "consumers": {},
        "certificate": None,
        "certificate_key": None,
    }
    return Access(**{**values, **changed})  # type: ignore[arg-type] # the test's values are of many types


@pytest.mark.parametrize("size", [1, Settings().max_context_bytes, 4 * 2**20])
def test_the_largest_body_is_the_services_own(size: int) -> None:
    """So that the service tells a client about its context, and the gateway takes nothing it would refuse."""
    limit = access(max_context_bytes=size).plugins()["request-size-limiting"]
    largest = size * payloads._SIX_BYTES_FOR_ONE + payloads._REST_OF_BODY
    assert limit == {"allowed_payload_size": largest, "size_unit": "bytes"}


def test_a_limit_counts_by_consumer_where_there_are_any() -> None:
    assert "rate-limiting" not in access().plugins()
    assert access(requests_per_minute=5).plugins()["rate-limiting"]["limit_by"] == "ip"
    assert access(requests_per_minute=5, key_auth=True).plugins()["rate-limiting"]["limit_by"] == "consumer"


def test_a_key_is_taken_from_the_header_alone_and_not_passed_on() -> None:
    assert "key-auth" not in access().plugins()
    config = access(key_auth=True).plugins()["key-auth"]
    assert (config["key_in_header"], config["key_in_query"], config["key_in_body"]) == (True, False, False)
    assert config["hide_credentials"] is True
