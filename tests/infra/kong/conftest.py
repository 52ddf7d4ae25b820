"""The Kong provider, and the stand-in gateway that it manages."""

from collections.abc import Iterator

import pytest

from infra.kong.provider.connection import Kong
from tests.offline.peers import Gateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """One gateway process for all tests of the provider; each test uses its own names."""
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def kong(gateway: Gateway) -> Kong:
    """Return the provider's Kong, configured for the gateway, which applies changes at once: no waits."""
    kong = Kong(wait=lambda _: None)
    kong.configure({"adminUrl": gateway.admin})
    return kong
