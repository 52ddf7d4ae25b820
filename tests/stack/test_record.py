"""The A record among others': a name that is taken stops the preview, and can be taken over and given back."""

from collections.abc import Iterator

import pytest

from tests.stack.clone import HOSTNAME, Clone

OLD = {"Name": f"{HOSTNAME}.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}


@pytest.fixture
def without_stack(clone: Clone) -> Iterator[Clone]:
    """The clone's platform without its stack, whose record the test makes first."""
    clone.pulumi("destroy --yes")
    good = clone.file.read_text()
    yield clone
    clone.file.write_text(good)
    clone.pulumi("destroy --yes")
    for record in clone.records():
        change(clone, "DELETE", record)
    clone.make("up")


def change(clone: Clone, action: str, record: object) -> None:
    route53 = clone.route53()
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def test_a_record_of_others_stops_the_run_with_its_value_until_it_is_adopted(without_stack: Clone) -> None:
    clone = without_stack
    change(clone, "CREATE", OLD)
    for command in ("preview", "up --yes --skip-preview"):
        told = clone.pulumi(command, fails=True)
        assert "has an A record already: 192.0.2.7 (TTL 60)" in told
        assert "pulumi config set adoptRecord true" in told
    assert clone.records()[0]["ResourceRecords"] == OLD["ResourceRecords"]
    assert clone.containers() == [], "the run went on although the name is taken"

    clone.set("adoptRecord", True)
    clone.set("gatewayAddresses", ["127.0.0.1", "127.0.0.2"])
    clone.make("up")
    values = [value["Value"] for value in clone.records()[0]["ResourceRecords"]]
    assert sorted(values) == ["127.0.0.1", "127.0.0.2"]

    clone.set("adoptRecord", False)
    clone.set("ttl", 120)
    clone.make("up")
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.outputs()["recordBefore"] == [{"type": "A", "ttl": 60, "values": ["192.0.2.7"]}]


def test_a_record_that_a_lost_run_made_is_taken_as_it_is(without_stack: Clone) -> None:
    clone = without_stack
    change(clone, "CREATE", OLD | {"TTL": 300, "ResourceRecords": [{"Value": "127.0.0.1"}]})
    clone.make("up")
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.outputs()["recordBefore"] == []


def test_a_hostname_outside_its_zone_is_told_with_the_zones_name(clone: Clone) -> None:
    good = clone.file.read_text()
    clone.set("hostname", "sessioncontext.fountain.example")
    try:
        told = clone.pulumi("preview", fails=True)
    finally:
        clone.file.write_text(good)
    assert "sessioncontext.fountain.example does not lie in zone" in told
    assert "which is fountain.coach" in told
    assert "Traceback" not in told
