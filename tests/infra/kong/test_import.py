"""The ids and names that `pulumi import` accepts."""

from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.provider.targets import TargetResource
from infra.kong.schema.access import CONSUMER
from infra.kong.schema.routing import SERVICE, TARGET
from tests.offline.peers import Gateway


def test_an_import_finds_an_entity_by_its_name(kong: Kong, gateway: Gateway) -> None:
    row = gateway.made("POST", "/services", {"name": uuid4().hex, "host": "a.example", "port": 99})
    found = EntityResource(kong, SERVICE).read(row["name"], {})
    assert found is not None
    assert (found[0], found[2]["port"]) == (row["id"], 99)


def test_an_import_by_name_may_contain_a_slash(kong: Kong, gateway: Gateway) -> None:
    name = uuid4().hex
    gateway.made("POST", "/consumers", {"username": name})
    assert EntityResource(kong, CONSUMER).read(f"a/{name}", {}) is None
    row = gateway.made("POST", "/consumers", {"username": f"a/{name}"})
    found = EntityResource(kong, CONSUMER).read(f"a/{name}", {})
    assert found is not None
    assert (found[0], found[2]["username"]) == (row["id"], f"a/{name}")


@pytest.mark.parametrize("given", ["[::1]:80", "[0::1]:80", "[0:0:0:0:0:0:0:1]:080"])
def test_an_import_finds_an_ipv6_target_in_every_form(kong: Kong, gateway: Gateway, given: str) -> None:
    upstream = gateway.made("POST", "/upstreams", {"name": uuid4().hex})
    row = gateway.made("POST", f"/upstreams/{upstream['id']}/targets", {"target": "[::1]:80"})
    found = TargetResource(kong, TARGET).read(f"{upstream['name']}/{given}", {})
    assert found is not None
    assert (found[0], found[2]["upstream"]) == (row["id"], upstream["id"])


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_is_a_relative_path_is_not_found(kong: Kong, name: str) -> None:
    assert EntityResource(kong, CONSUMER).read(name, {}) is None
