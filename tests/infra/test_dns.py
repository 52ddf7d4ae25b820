"""Which existing records of a name stop a run, and which are warnings."""

import pulumi_aws as aws
import pytest

from infra.config.record import AliasTarget
from infra.dns import Declared, find_conflict
from infra.zone import RecordSet, ZoneLookup, interpret, unmanaged_warning

HOSTNAME = "sessioncontext.fountain.coach"


def record(**fields: object) -> RecordSet:
    return {"type": "A", "ttl": 60, "values": ["192.0.2.7"], "alias": None, "routing": None, **fields}


def test_a_free_name_has_no_conflict() -> None:
    assert find_conflict(HOSTNAME, [], adopt=False) is None


def test_a_foreign_record_is_a_conflict_with_its_value_and_how_to_adopt_it() -> None:
    message = find_conflict(HOSTNAME, [record()], adopt=False) or ""
    assert "already has an A record: 192.0.2.7 (TTL 60)" in message
    assert "pulumi config set adoptRecord true" in message
    assert find_conflict(HOSTNAME, [record()], adopt=True) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "CNAME", "values": ["old.example"]}, "already has a CNAME record: old.example"),
        ({"routing": "blue"}, "routing policy (set blue)"),
    ],
)
def test_a_record_that_can_not_be_replaced_is_a_conflict_even_with_adopt(
    fields: dict[str, object], expected: str
) -> None:
    assert expected in (find_conflict(HOSTNAME, [record(**fields)], adopt=True) or "")


ALIAS = {"DNSName": "lb.example", "HostedZoneId": "Z35SXDOTRQ7X7K", "EvaluateTargetHealth": False}


def test_an_alias_is_reported_and_kept_with_its_zone() -> None:
    alias = record(alias=ALIAS, values=[], ttl=None)
    message = find_conflict(HOSTNAME, [alias], adopt=False) or ""
    assert "already has an A record: alias of lb.example. This stack" in message
    assert find_conflict(HOSTNAME, [alias], adopt=True) is None
    assert found(named(HOSTNAME, alias=ALIAS)).records[0]["alias"] == ALIAS


def named(name: str, **fields: object) -> RecordSet:
    return {"name": name, **record(**fields)}


def found(*records: RecordSet, hostname: str = HOSTNAME, is_private: bool = False) -> ZoneLookup:
    return interpret(hostname, "fountain.coach", list(records), is_private=is_private)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"type": "AAAA", "values": ["2001:db8::7"]},
            "an AAAA record (2001:db8::7), which this stack does not manage: clients with IPv6 use it",
        ),
        ({"type": "AAAA", "values": [], "alias": ALIAS}, "an AAAA record (alias of lb.example)"),
        ({"type": "A"}, "an A record (192.0.2.7), which this stack does not manage: clients with IPv4 use it"),
    ],
)
def test_a_record_that_redirects_clients_is_a_warning(fields: dict[str, object], expected: str) -> None:
    assert expected in unmanaged_warning(HOSTNAME, record(**fields))


def test_an_https_record_is_always_a_warning() -> None:
    https = named(HOSTNAME, type="HTTPS", values=["1 . ipv4hint=192.0.2.7"])
    (warning,) = found(https).warnings
    assert "an HTTPS record (1 . ipv4hint=192.0.2.7)" in warning
    assert found(https).records == []


@pytest.mark.parametrize("kind", ["A", "TXT", "MX", "CAA"])
def test_other_records_are_no_warning(kind: str) -> None:
    assert found(named(HOSTNAME, type=kind), named("fountain.coach", type="AAAA")).warnings == []


def test_a_private_zone_is_a_warning() -> None:
    (warning,) = found(is_private=True).warnings
    assert "zone fountain.coach is private" in warning


@pytest.mark.parametrize("name", [HOSTNAME, f"api.{HOSTNAME}"])
def test_a_delegation_of_the_name_or_a_parent_is_named(name: str) -> None:
    delegated = found(named(HOSTNAME, type="NS", values=["ns1.example."]), hostname=name).delegation or ""
    assert (
        f"delegates {HOSTNAME} to ns1.example. (an NS record), so no resolver queries it for {name}" in delegated
    )
    assert f"Set hostedZoneId to the zone of {HOSTNAME}" in delegated


def test_the_zones_own_name_servers_are_no_delegation() -> None:
    own = named("fountain.coach", type="NS")
    assert found(own).delegation is None
    assert found(own, hostname="fountain.coach").delegation is None


def declared(addresses: list[str], alias: AliasTarget | None = None) -> Declared:
    return Declared(type=aws.route53.RecordType.A, addresses=addresses, alias=alias, ttl=60)


def test_only_exactly_the_declared_record_counts_as_own() -> None:
    both = ["192.0.2.7", "192.0.2.8"]
    assert declared(both[::-1]).is_exactly(record(values=both))
    assert not declared(both).is_exactly(record())
    assert not declared(both).is_exactly(record(values=both, ttl=61))
    assert not declared(both).is_exactly(record(values=both, routing="blue"))
    assert not declared(both).is_exactly(record(values=both, type="AAAA"))


def test_only_exactly_the_declared_alias_counts_as_own() -> None:
    alias = declared([], AliasTarget(name="lb.example", zone_id="Z35SXDOTRQ7X7K", ipv6=False))
    existing = record(alias=ALIAS | {"DNSName": "LB.example."}, values=[], ttl=None)
    assert alias.is_exactly(existing)
    assert not alias.is_exactly(record(alias=ALIAS | {"HostedZoneId": "Z1"}, values=[], ttl=None))
    assert not declared(["192.0.2.7"]).is_exactly(existing)
