"""A target whose host Kong can or can't resolve."""

import time
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.routing import TARGET
from infra.plugin import PluginError
from infra.props import Props
from tests.infra.kong.entities import Peers, checked, urn
from tests.offline.peers import Gateway


def create(gateway: Gateway, target: str, waits: list[float]) -> tuple[str, Props]:
    """Create a target, waiting a tenth of the time, in an upstream of its own."""

    def wait(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds / 10)

    kong = Kong(wait=wait)
    kong.configure({"adminUrl": gateway.admin})
    resource = TargetResource(kong, TARGET)
    inputs = checked(resource, {"upstream": Peers(gateway).new("upstreams"), "target": target})
    return resource.create(urn("KongTarget", uuid4().hex), inputs, preview=False)


def targets(gateway: Gateway, outputs: Props) -> list[str]:
    rows = gateway.call("GET", f"/upstreams/{outputs['upstream']}/targets").json()["data"]
    return [row["target"] for row in rows]


@pytest.mark.parametrize("target", ["127.0.0.1:80", "[::1]:80", "localhost:80"])
def test_a_target_with_an_address_is_created(gateway: Gateway, target: str) -> None:
    _, outputs = create(gateway, target, [])
    assert targets(gateway, outputs) == [outputs["target"]]


def test_a_target_without_an_address_is_an_error_and_removed(gateway: Gateway) -> None:
    waits: list[float] = []
    with pytest.raises(PluginError) as failed:
        create(gateway, "container.invalid:8080", waits)
    assert "can't resolve the host of target container.invalid:8080" in str(failed.value)
    assert "Set network to a Docker network that Kong is in too" in str(failed.value)
    assert waits == [1.0] * 15
    listed = gateway.call("GET", "/upstreams").json()["data"]
    everywhere = [name for upstream in listed for name in targets(gateway, {"upstream": upstream["id"]})]
    assert "container.invalid:8080" not in everywhere
