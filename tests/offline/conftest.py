"""A running gateway, and upstreams and routes for it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.offline.peers import Gateway, Json, Site, Upstream


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


@pytest.fixture
def name(gateway: Gateway) -> Iterator[str]:
    """Yield a unique name; what is created under it is deleted afterwards."""
    name = f"n{uuid4().hex[:10]}"
    yield name
    for kind in ("routes", "services", "upstreams", "consumers"):
        gateway.call("DELETE", f"/{kind}/{name}")


@pytest.fixture
def service(gateway: Gateway, name: str) -> dict[str, Json]:
    return gateway.made("POST", "/services", {"name": name, "url": "http://a:8080/base"})
