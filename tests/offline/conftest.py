"""What every test of the gateway starts from."""

from collections.abc import Iterator

import pytest

from tests.offline.peers import Gateway, Site, Upstream


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def site(gateway: Gateway, upstream: Upstream) -> Site:
    return Site(gateway, upstream.address)
