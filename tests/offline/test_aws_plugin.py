"""The stand-in for Pulumi's AWS plugin: what it creates in Route 53 is what it reads back."""

import json
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from infra.props import Props
from offline.aws_plugin.route53 import Record, Route53
from tests.ports import free_port

NAME = "api.example.com"


@pytest.fixture
def route53() -> Iterator[Route53]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server._port}"
    route53 = Route53()
    endpoints = json.dumps([{"route53": url}])
    route53.configure({"endpoints": endpoints, "region": "us-east-1", "accessKey": "a", "secretKey": "b"})
    yield route53
    server.stop()


@pytest.fixture
def zone(route53: Route53) -> str:
    zone = route53.client.create_hosted_zone(Name="example.com", CallerReference="test")
    return zone["HostedZone"]["Id"].rpartition("/")[2]


ALIAS = {"name": "lb-1.elb.amazonaws.com", "zoneId": "Z215JYRZR1TBD5", "evaluateTargetHealth": False}


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("A", {"records": ["192.0.2.1", "192.0.2.2"], "ttl": 60}),
        ("AAAA", {"records": ["2001:db8::1"], "ttl": 60}),
        ("A", {"aliases": [ALIAS]}),
        ("AAAA", {"aliases": [ALIAS]}),
    ],
)
def test_a_record_is_read_back_updated_and_deleted(route53: Route53, zone: str, kind: str, target: Props) -> None:
    record = Record(route53)
    inputs = {"zoneId": zone, "name": NAME, "type": kind, "allowOverwrite": False, **target}
    object_id, state = record.create("", inputs, preview=False)
    read = record.read(object_id, state)
    assert read is not None
    assert record.diff(read[2], inputs) == set()

    other = {key: value for key, value in inputs.items() if key not in target} | {"records": ["::2"], "ttl": 5}
    assert record.diff(read[2], other)
    record.update(object_id, state, other, preview=False)
    found = record.read(object_id, other)
    assert found is not None
    assert record.diff(found[2], other) == set()
    record.delete(object_id, other)
    assert record.read(object_id, other) is None
