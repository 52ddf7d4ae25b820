"""A target whose host Kong can or can't resolve."""

import json
import time
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.routing import TARGET
from infra.plugin import PluginError
from infra.props import Props
from tests.infra.kong.admin_servers import AdminServer, Answer, serving
from tests.infra.kong.entities import Peers, checked, urn
from tests.offline.peers import Gateway

NOT_FOUND: Answer = (404, b'{"message": "Not found"}')


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
    target = f"{uuid4().hex}.invalid:8080"
    with pytest.raises(PluginError) as failed:
        create(gateway, target, waits)
    assert f"can't resolve the host of target {target}" in str(failed.value)
    assert "Set network to a Docker network that Kong is in too" in str(failed.value)
    assert waits == [1.0] * 15
    listed = gateway.call("GET", "/upstreams").json()["data"]
    everywhere = [name for upstream in listed for name in targets(gateway, {"upstream": upstream["id"]})]
    assert target not in everywhere


def test_an_interrupted_wait_for_an_address_is_no_success(gateway: Gateway) -> None:
    def interrupt(_: float) -> None:
        raise PluginError("interrupted")

    kong = Kong(wait=interrupt)
    kong.configure({"adminUrl": gateway.admin, "mark": "m"})
    resource, name = TargetResource(kong, TARGET), urn("KongTarget", uuid4().hex)
    inputs = checked(resource, {"upstream": Peers(gateway).new("upstreams"), "target": "container.invalid:8080"})
    with pytest.raises(PluginError, match="interrupted"):
        resource.create(name, inputs, preview=False)


def test_a_role_that_may_not_see_the_health_goes_on() -> None:
    with serving(AdminServer()) as server:
        kong = Kong(wait=lambda _: None)
        kong.configure({"adminUrl": server.url})
        inputs: Props = {"upstream": "u", "target": "container.invalid:8080", "weight": 1, "tags": None}
        written: Answer = (200, json.dumps(inputs | {"id": "i", "upstream": {"id": "u"}}).encode())
        denied: Answer = (403, b'{"message": "you do not have permissions to read this resource"}')
        server.answers = [NOT_FOUND, NOT_FOUND, written, denied]
        TargetResource(kong, TARGET).create(urn("KongTarget", "one"), inputs | {"drain_seconds": 0}, preview=False)
        assert server.answers == []
