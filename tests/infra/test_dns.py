"""Which records of a name stop a run or are warned of, and with what words."""

import pytest

from infra.dns import Found, RecordSet, conflict, is_plain, judge

HOSTNAME = "sessioncontext.fountain.coach"


def record(**fields: object) -> RecordSet:
    return {"type": "A", "ttl": 60, "values": ["192.0.2.7"], "alias": None, "routing": None, **fields}


def test_a_free_name_is_taken() -> None:
    assert conflict(HOSTNAME, [], adopt=False) is None


def test_a_record_of_others_is_told_with_its_value_and_the_way_to_take_it_over() -> None:
    told = conflict(HOSTNAME, [record()], adopt=False) or ""
    assert "has an A record already: 192.0.2.7 (TTL 60)" in told
    assert "pulumi config set adoptRecord true" in told
    assert conflict(HOSTNAME, [record()], adopt=True) is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": "CNAME", "values": ["old.example"]}, "a CNAME record already: old.example"),
        ({"routing": "blue"}, "routing policy (set blue)"),
    ],
)
def test_what_a_plain_record_can_not_replace_is_refused_also_when_adopted(
    fields: dict[str, object], says: str
) -> None:
    assert says in (conflict(HOSTNAME, [record(**fields)], adopt=True) or "")


ALIAS = {"DNSName": "lb.example", "HostedZoneId": "Z35SXDOTRQ7X7K", "EvaluateTargetHealth": False}


def test_an_alias_is_told_as_one_and_kept_with_its_zone() -> None:
    alias = record(alias=ALIAS, values=[], ttl=None)
    told = conflict(HOSTNAME, [alias], adopt=False) or ""
    assert "has an A record already: alias of lb.example. This stack" in told
    assert conflict(HOSTNAME, [alias], adopt=True) is None
    assert found(named(HOSTNAME, alias=ALIAS)).records[0]["alias"] == ALIAS


def named(name: str, **fields: object) -> RecordSet:
    return {"name": name, **record(**fields)}


def found(*records: RecordSet, hostname: str = HOSTNAME, is_private: bool = False) -> Found:
    return judge(hostname, "fountain.coach", list(records), is_private=is_private)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"type": "AAAA", "values": ["2001:db8::7"]},
            "an AAAA record (2001:db8::7), which this stack leaves alone",
        ),
        ({"type": "AAAA", "values": [], "alias": ALIAS}, "an AAAA record (alias of lb.example)"),
        ({"type": "HTTPS", "values": ["1 . ipv4hint=192.0.2.7"]}, "an HTTPS record (1 . ipv4hint=192.0.2.7)"),
    ],
)
def test_what_leads_clients_elsewhere_is_a_warning(fields: dict[str, object], says: str) -> None:
    (warning,) = found(named(HOSTNAME, **fields)).warnings
    assert says in warning
    assert found(named(HOSTNAME, **fields)).records == []


@pytest.mark.parametrize("kind", ["A", "TXT", "MX", "CAA"])
def test_what_leads_nowhere_else_is_no_warning(kind: str) -> None:
    assert found(named(HOSTNAME, type=kind), named("fountain.coach", type="AAAA")).warnings == []


def test_a_private_zone_is_a_warning() -> None:
    (warning,) = found(is_private=True).warnings
    assert "zone fountain.coach is private" in warning


@pytest.mark.parametrize("name", [HOSTNAME, f"api.{HOSTNAME}"])
def test_a_delegation_at_the_name_or_above_it_is_named(name: str) -> None:
    delegated = found(named(HOSTNAME, type="NS", values=["ns1.example."]), hostname=name).delegation or ""
    assert f"delegates {HOSTNAME} to ns1.example. (an NS record), so no resolver asks it for {name}" in delegated
    assert f"Set hostedZoneId to the zone of {HOSTNAME}" in delegated


def test_the_zones_own_name_servers_are_no_delegation() -> None:
    own = named("fountain.coach", type="NS")
    assert found(own).delegation is None
    assert found(own, hostname="fountain.coach").delegation is None


def test_only_exactly_what_is_declared_counts_as_made_by_a_lost_run() -> None:
    both = ["192.0.2.7", "192.0.2.8"]
    assert is_plain(record(values=both), both[::-1], 60)
    assert not is_plain(record(), both, 60)
    assert not is_plain(record(values=both, ttl=61), both, 60)
    assert not is_plain(record(values=both, routing="blue"), both, 60)
