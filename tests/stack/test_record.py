"""The records of the name: one that is taken stops the preview, and can be adopted and given back."""

from typing import Any

from local.route53 import ZONE
from tests.stack.clone import HOSTNAME, Clone, has_traceback

UP = "up --yes --skip-preview"
AAAA = {"Name": f"{HOSTNAME}.", "Type": "AAAA", "TTL": 60, "ResourceRecords": [{"Value": "2001:db8::7"}]}
NS = {"Name": f"{HOSTNAME}.", "Type": "NS", "TTL": 60, "ResourceRecords": [{"Value": "ns1.example."}]}
OLD = {"Name": f"{HOSTNAME}.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}


def test_an_existing_record_stops_the_run_with_its_value_until_it_is_adopted(empty: Clone) -> None:
    clone = empty
    clone.in_zone("CREATE", OLD)
    for command in ("preview", "up --yes --skip-preview"):
        printed = clone.pulumi(command, fails=True)
        assert "already has an A record: 192.0.2.7 (TTL 60)" in printed
        assert "pulumi config set adoptRecord true" in printed
    assert clone.records()[0]["ResourceRecords"] == OLD["ResourceRecords"]
    assert clone.containers() == [], "the run continued although the name is taken"

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


def test_a_record_created_by_a_lost_run_is_adopted(empty: Clone) -> None:
    clone = empty
    clone.set("ttl", 300)
    clone.set("gatewayAddresses", ["127.0.0.1"])
    clone.in_zone("CREATE", OLD | {"TTL": 300, "ResourceRecords": [{"Value": "127.0.0.1"}]})
    clone.make("up")
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.outputs()["recordBefore"] == []


def test_a_preview_warns_of_records_that_lead_clients_elsewhere(clone: Clone) -> None:
    for record in (AAAA, NS):
        clone.in_zone("CREATE", record)
    try:
        printed = clone.pulumi("preview --expect-no-changes")
    finally:
        for record in (AAAA, NS):
            clone.in_zone("DELETE", record)
    assert "has an AAAA record (2001:db8::7), which this stack does not manage" in printed
    assert f"delegates {HOSTNAME} to ns1.example" in printed


def test_the_apex_of_the_zone_can_be_an_alias(redeployed: Clone) -> None:
    clone = redeployed
    clone.set("hostname", ZONE)
    clone.set("gatewayAddresses", [])
    clone.set("gatewayAlias", {"name": "lb-1.elb.amazonaws.com", "zoneId": "Z215JYRZR1TBD5", "ipv6": True})
    clone.pulumi(UP)
    aliases = {
        record["Type"]: record["AliasTarget"]["DNSName"].rstrip(".")
        for record in of_name(clone, ZONE)
        if "AliasTarget" in record
    }
    assert aliases == {"A": "lb-1.elb.amazonaws.com", "AAAA": "lb-1.elb.amazonaws.com"}
    assert of_name(clone) == []
    clone.settled(200, "/sessions", headers={"Host": ZONE})
    clone.pulumi("preview --refresh --expect-no-changes")


def test_the_gateway_has_addresses_of_both_families_or_is_a_load_balancer(redeployed: Clone) -> None:
    clone = redeployed
    clone.set("gatewayAddresses", ["127.0.0.1", "::1"])
    clone.in_zone("CREATE", AAAA)
    try:
        assert "already has an AAAA record: 2001:db8::7 (TTL 60)" in clone.pulumi("preview", fails=True)
    finally:
        clone.in_zone("DELETE", AAAA)
    clone.pulumi(UP)
    assert clone.outputs()["record"] == {"name": HOSTNAME, "addresses": ["127.0.0.1", "::1"]}
    assert [record["ResourceRecords"] for record in of_name(clone)] == [
        [{"Value": "127.0.0.1"}],
        [{"Value": "::1"}],
    ]
    clone.pulumi("preview --refresh --expect-no-changes")

    clone.set("gatewayAddresses", [])
    clone.set("gatewayAlias", {"name": "lb-1.elb.amazonaws.com", "zoneId": "Z215JYRZR1TBD5"})
    clone.pulumi(UP)
    (alias,) = of_name(clone)
    assert alias["AliasTarget"]["DNSName"].rstrip(".") == "lb-1.elb.amazonaws.com"
    assert clone.outputs()["record"] == {"name": HOSTNAME, "addresses": []}
    clone.pulumi("preview --refresh --expect-no-changes")


def of_name(clone: Clone, name: str = HOSTNAME) -> list[dict[str, Any]]:
    """Return the records of a name, A before AAAA."""
    route53 = clone.route53()
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return sorted(
        (record for record in found if record["Name"] == f"{name}."), key=lambda record: str(record["Type"])
    )


def test_a_name_that_its_zone_delegates_stops_a_first_run(empty: Clone) -> None:
    empty.in_zone("CREATE", NS)
    try:
        printed = empty.pulumi("preview", fails=True)
    finally:
        empty.in_zone("DELETE", NS)
    assert "Set hostedZoneId to the zone of" in printed
    assert not has_traceback(printed)


def test_a_hostname_outside_its_zone_is_refused_with_the_zones_name(edited: Clone) -> None:
    edited.set("hostname", "sessioncontext.fountain.example")
    printed = edited.pulumi("preview", fails=True)
    assert "sessioncontext.fountain.example is not in zone" in printed
    assert "which is fountain.coach" in printed
    assert not has_traceback(printed)
