"""Which records of a name stop a run, and with what words."""

import pytest

from infra.dns import RecordSet, is_plain, objection

HOSTNAME = "sessioncontext.fountain.coach"


def record(**fields: object) -> RecordSet:
    return {"type": "A", "ttl": 60, "values": ["192.0.2.7"], "alias": None, "routing": None, **fields}


def test_a_free_name_is_taken() -> None:
    assert objection(HOSTNAME, [], adopt=False) is None


def test_a_record_of_others_is_told_with_its_value_and_the_way_to_take_it_over() -> None:
    told = objection(HOSTNAME, [record()], adopt=False) or ""
    assert "has an A record already: 192.0.2.7 (TTL 60)" in told
    assert "pulumi config set adoptRecord true" in told
    assert objection(HOSTNAME, [record()], adopt=True) is None


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
    assert says in (objection(HOSTNAME, [record(**fields)], adopt=True) or "")


def test_an_alias_is_told_as_one() -> None:
    told = objection(HOSTNAME, [record(alias="lb.example", values=[], ttl=None)], adopt=False) or ""
    assert "alias of lb.example" in told


def test_only_exactly_what_is_declared_counts_as_made_by_a_lost_run() -> None:
    both = ["192.0.2.7", "192.0.2.8"]
    assert is_plain(record(values=both), both[::-1], 60)
    assert not is_plain(record(), both, 60)
    assert not is_plain(record(values=both, ttl=61), both, 60)
    assert not is_plain(record(values=both, routing="blue"), both, 60)
