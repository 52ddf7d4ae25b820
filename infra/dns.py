"""The API's public name: one A record in Route 53, in a zone that every preview reads."""

import re
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.config import RecordConfig

TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m", delete="5m")
"""Route 53 takes a minute to tell all its name servers; an API that hangs would hold a run for half an hour."""

RecordSet = dict[str, Any]
"""One record set as Route 53 has it: type, ttl, values, and what makes it more than a plain one."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a zone has for a name."""

    records: list[RecordSet]
    """The A and CNAME record sets of the name."""

    delegation: str | None
    """Why no resolver asks this zone for the name, if so."""

    warnings: list[str]
    """What leads clients elsewhere, whatever the A record says."""


def look_up(zone_id: str, hostname: str) -> Found:
    """What the zone has for a name. Raises `pulumi.RunError` when the zone is not there or another."""
    try:
        zone = aws.route53.get_zone(zone_id=zone_id)
        names = "|".join(map(re.escape, _from_name_to_top(hostname)))
        # Where no record has one of the names the provider answers no list at all.
        found = aws.route53.get_records(zone_id=zone_id, name_regex=rf"^({names})\.$").resource_record_sets or []
    except Exception as error:  # the SDK has no narrower one for a function of a provider
        raise pulumi.RunError(f"hostedZoneId {zone_id} can't be read in Route 53: {error}") from error
    if not f".{hostname}".endswith(f".{zone.name}"):
        raise pulumi.RunError(
            f"hostname {hostname} does not lie in zone {zone_id}, which is {zone.name}: mend one of them"
        )
    return judge(
        hostname, zone.name, [_record_set(record) for record in found], is_private=bool(zone.private_zone)
    )


def _from_name_to_top(hostname: str) -> list[str]:
    labels = hostname.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def _record_set(record: Any) -> RecordSet:  # noqa: ANN401 - the SDK's output type, and its double in a plan
    alias = record.alias_target
    return {
        "name": record.name.rstrip("."),
        "type": record.type,
        "ttl": None if alias else record.ttl,
        "values": sorted(value.value for value in record.resource_records or []),
        # In Route 53's own words, so that it can be put back as it was.
        "alias": alias
        and {
            "DNSName": alias.dns_name,
            "HostedZoneId": alias.hosted_zone_id,
            "EvaluateTargetHealth": alias.evaluate_target_health,
        },
        "routing": record.set_identifier or None,
    }


def judge(hostname: str, zone: str, records: list[RecordSet], *, is_private: bool) -> Found:
    """What record sets of a zone, of the name and the names above it, mean for an A record of the name."""
    below_zone = [name for name in _from_name_to_top(hostname) if name.endswith(f".{zone}")]
    delegations = [record for record in records if record["type"] == "NS" and record["name"] in below_zone]
    own = [record for record in records if record["name"] == hostname]
    warnings = [warning for record in own if (warning := _leads_elsewhere(hostname, record))]
    if is_private:
        warnings.append(f"zone {zone} is private: {hostname} is known only in the networks (VPCs) it belongs to")
    return Found(
        records=[
            {field: value for field, value in record.items() if field != "name"}
            for record in own
            if record["type"] in ("A", "CNAME")
        ],
        delegation=_delegated(hostname, zone, delegations[0]) if delegations else None,
        warnings=warnings,
    )


def _leads_elsewhere(hostname: str, record: RecordSet) -> str | None:
    there = f"{hostname} has {_kind(record)} ({_says(record)}), which this stack leaves alone"
    match record["type"]:
        case "AAAA":
            return f"{there}: clients with IPv6 go where it leads. Remove it, unless that is the gateway, too."
        case "HTTPS":
            return f"{there}: browsers go where it leads. Remove it, unless that is the gateway, too."
    return None


def _delegated(hostname: str, zone: str, record: RecordSet) -> str:
    return (
        f"zone {zone} delegates {record['name']} to {', '.join(record['values'])} (an NS record), so no resolver "
        f"asks it for {hostname}. Set hostedZoneId to the zone of {record['name']}, or remove the NS record."
    )


def _kind(record: RecordSet) -> str:
    kind = record["type"]
    return f"{'an' if kind in ('A', 'AAAA', 'HTTPS') else 'a'} {kind} record"


def _says(record: RecordSet) -> str:
    return f"alias of {record['alias']['DNSName'].rstrip('.')}" if record["alias"] else ", ".join(record["values"])


def is_plain(record: RecordSet, values: list[str], ttl: int) -> bool:
    """Whether a record set is exactly what the stack declares: then a run that was lost has made it."""
    return record == {"type": "A", "ttl": ttl, "values": sorted(values), "alias": None, "routing": None}


def conflict(hostname: str, found: list[RecordSet], *, adopt: bool) -> str | None:
    """Why a record may not be made beside or over the ones that are there."""
    for record in found:
        there = f"{hostname} has {_kind(record)} already: {_says(record)}"
        if record["type"] == "CNAME":
            return f"{there}. Route 53 allows no A record beside it: remove it first."
        if record["routing"]:
            return f"{there}. It has a routing policy (set {record['routing']}): remove all of its sets first."
        if not adopt:
            ttl = "" if record["alias"] else f" (TTL {record['ttl']})"
            return (
                f"{there}{ttl}. This stack did not make it. To take it over: pulumi config set "
                "adoptRecord true. What it says is kept in the output recordBefore."
            )
    return None


class DnsRecord(pulumi.ComponentResource):
    """The A record that points the hostname to the gateway's addresses.

    It is declared in two steps, so that a name which is taken stops a run before anything else is created, and the
    record is created last.
    """

    before: pulumi.Output[list[RecordSet]]
    """The record sets of the name before the stack created or took over its record; never changed afterwards."""

    is_free: pulumi.Resource
    """Created only if the name is free, or this stack's."""

    def __init__(self, name: str, *, config: RecordConfig, found: Found, protect: bool) -> None:
        super().__init__("session-context:index:DnsRecord", name)
        self._name, self._config, self._found = name, config, found
        others = [record for record in found.records if not is_plain(record, config.addresses, config.ttl)]
        # An existing record can still be updated and destroyed, so a delegation is only a warning here.
        for warning in [*found.warnings, *filter(None, [found.delegation])]:
            pulumi.warn(warning, self)

        def refuse(_: pulumi.ResourceHookArgs) -> None:
            if reason := found.delegation or conflict(config.hostname, others, adopt=config.adopt):
                raise pulumi.RunError(reason)

        # The engine calls it before a create, so never for a record that this stack has already.
        hook = pulumi.ResourceHook(f"{name}-is-free", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
        self._options = pulumi.ResourceOptions(
            parent=self, protect=protect, hooks=pulumi.ResourceHookBinding(before_create=[hook])
        )
        self.is_free = pulumi.Stash(
            f"{config.hostname}-before",
            input=others,
            opts=pulumi.ResourceOptions.merge(self._options, pulumi.ResourceOptions(ignore_changes=["input"])),
        )
        self.before = self.is_free.output

    def create_record(self, *, after: pulumi.Resource) -> aws.route53.Record:
        """Declare the record itself, to be created after what it points to."""
        options = pulumi.ResourceOptions(
            custom_timeouts=TIMEOUTS,
            depends_on=[self.is_free, after],
            # Only a create uses it, and it would change as soon as the record exists.
            ignore_changes=["allowOverwrite"],
        )
        record = aws.route53.Record(
            self._name,
            zone_id=self._config.zone_id,
            name=self._config.hostname,
            type=aws.route53.RecordType.A,
            ttl=self._config.ttl,
            records=self._config.addresses,
            # If false, Route 53 itself refuses to overwrite a record that was created after the lookup.
            allow_overwrite=bool(self._found.records),
            opts=pulumi.ResourceOptions.merge(self._options, options),
        )
        self.register_outputs({"name": record.name, "addresses": record.records})
        return record
