"""What a zone of Route 53 contains for a name, as every preview reads it."""

import re
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

RecordSet = dict[str, Any]
"""One record set of Route 53: type, ttl and values, and what makes it more than a simple one."""


@dataclass(frozen=True, kw_only=True)
class ZoneLookup:
    """What a zone contains for a name."""

    records: list[RecordSet]
    """The A, AAAA and CNAME record sets of the name."""

    delegation: str | None
    """Why no resolver queries this zone for the name, if so."""

    warnings: list[str]
    """Why clients may be sent elsewhere, whatever the stack's records say."""


def look_up(zone_id: str, hostname: str) -> ZoneLookup:
    """Look up a name in its zone. Raises `pulumi.RunError` if the zone does not exist, or is for other names."""
    try:
        zone = aws.route53.get_zone(zone_id=zone_id)
        names = "|".join(map(re.escape, _name_and_parents(hostname)))
        # Without a match the provider returns null instead of a list.
        found = aws.route53.get_records(zone_id=zone_id, name_regex=rf"^({names})\.$").resource_record_sets or []
    except Exception as error:  # the SDK raises nothing narrower for a provider's function
        raise pulumi.RunError(
            f"can't read hosted zone {zone_id} of Route 53; check hostedZoneId and credentials: {error}"
        ) from error
    if not f".{hostname}".endswith(f".{zone.name}"):
        raise pulumi.RunError(
            f"hostname {hostname} is not in zone {zone_id}, which is {zone.name}; fix hostname or hostedZoneId"
        )
    return interpret(
        hostname, zone.name, [_record_set(record) for record in found], is_private=bool(zone.private_zone)
    )


def _name_and_parents(hostname: str) -> list[str]:
    labels = hostname.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def _record_set(record: Any) -> RecordSet:  # noqa: ANN401 - the SDK's output type, and its double in a plan
    alias = record.alias_target
    return {
        "name": record.name.rstrip("."),
        "type": record.type,
        "ttl": None if alias else record.ttl,
        "values": sorted(value.value for value in record.resource_records or []),
        # As in Route 53's API, so that it can be restored.
        "alias": alias
        and {
            "DNSName": alias.dns_name,
            "HostedZoneId": alias.hosted_zone_id,
            "EvaluateTargetHealth": alias.evaluate_target_health,
        },
        "routing": record.set_identifier or None,
    }


def interpret(hostname: str, zone: str, records: list[RecordSet], *, is_private: bool) -> ZoneLookup:
    """Interpret the record sets of a name and its parents in a zone."""
    below_zone = [name for name in _name_and_parents(hostname) if name.endswith(f".{zone}")]
    delegations = [record for record in records if record["type"] == "NS" and record["name"] in below_zone]
    own = [record for record in records if record["name"] == hostname]
    warnings = [unmanaged_warning(hostname, record) for record in own if record["type"] == "HTTPS"]
    if is_private:
        warnings.append(f"zone {zone} is private: {hostname} resolves only in the VPCs associated with it")
    return ZoneLookup(
        records=[
            {field: value for field, value in record.items() if field != "name"}
            for record in own
            if record["type"] in ("A", "AAAA", "CNAME")
        ],
        delegation=_explain_delegation(hostname, zone, delegations[0]) if delegations else None,
        warnings=warnings,
    )


def unmanaged_warning(hostname: str, record: RecordSet) -> str:
    """Return why a record set that the stack leaves alone sends clients elsewhere."""
    clients = {"A": "clients with IPv4 use", "AAAA": "clients with IPv6 use", "HTTPS": "browsers use"}
    return (
        f"{hostname} has {describe_kind(record)} ({describe_value(record)}), which this stack does not manage: "
        f"{clients[record['type']]} it. Remove it, unless it points to the gateway."
    )


def _explain_delegation(hostname: str, zone: str, record: RecordSet) -> str:
    return (
        f"zone {zone} delegates {record['name']} to {', '.join(record['values'])} (an NS record), so no resolver "
        f"queries it for {hostname}. Set hostedZoneId to the zone of {record['name']}, or remove the NS record."
    )


def describe_kind(record: RecordSet) -> str:
    kind = record["type"]
    return f"{'an' if kind in ('A', 'AAAA', 'HTTPS') else 'a'} {kind} record"


def describe_value(record: RecordSet) -> str:
    return f"alias of {record['alias']['DNSName'].rstrip('.')}" if record["alias"] else ", ".join(record["values"])
