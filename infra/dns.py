"""The API's public name: one A record in Route 53, in a zone that every preview reads."""

import re
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.config.groups import RecordConfig

TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m", delete="5m")
"""Route 53 needs a minute to update all name servers. The default of an unresponsive API is half an hour."""

RecordSet = dict[str, Any]
"""One record set of Route 53: type, ttl and values, and what makes it more than a simple one."""


@dataclass(frozen=True, kw_only=True)
class ZoneLookup:
    """What a zone contains for a name."""

    records: list[RecordSet]
    """The A and CNAME record sets of the name."""

    delegation: str | None
    """Why no resolver queries this zone for the name, if so."""

    warnings: list[str]
    """Why clients may be sent elsewhere, whatever the A record says."""


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
    """Interpret the record sets of a name and its parents in a zone, for an A record of that name."""
    below_zone = [name for name in _name_and_parents(hostname) if name.endswith(f".{zone}")]
    delegations = [record for record in records if record["type"] == "NS" and record["name"] in below_zone]
    own = [record for record in records if record["name"] == hostname]
    warnings = [warning for record in own if (warning := _redirection(hostname, record))]
    if is_private:
        warnings.append(f"zone {zone} is private: {hostname} resolves only in the VPCs associated with it")
    return ZoneLookup(
        records=[
            {field: value for field, value in record.items() if field != "name"}
            for record in own
            if record["type"] in ("A", "CNAME")
        ],
        delegation=_explain_delegation(hostname, zone, delegations[0]) if delegations else None,
        warnings=warnings,
    )


def _redirection(hostname: str, record: RecordSet) -> str | None:
    existing = f"{hostname} has {_kind(record)} ({_value(record)}), which this stack does not manage"
    match record["type"]:
        case "AAAA":
            return f"{existing}: clients with IPv6 use it. Remove it, unless it points to the gateway."
        case "HTTPS":
            return f"{existing}: browsers use it. Remove it, unless it points to the gateway."
    return None


def _explain_delegation(hostname: str, zone: str, record: RecordSet) -> str:
    return (
        f"zone {zone} delegates {record['name']} to {', '.join(record['values'])} (an NS record), so no resolver "
        f"queries it for {hostname}. Set hostedZoneId to the zone of {record['name']}, or remove the NS record."
    )


def _kind(record: RecordSet) -> str:
    kind = record["type"]
    return f"{'an' if kind in ('A', 'AAAA', 'HTTPS') else 'a'} {kind} record"


def _value(record: RecordSet) -> str:
    return f"alias of {record['alias']['DNSName'].rstrip('.')}" if record["alias"] else ", ".join(record["values"])


def is_declared(record: RecordSet, values: list[str], ttl: int) -> bool:
    """Return whether a record set is exactly the declared one: then an interrupted run created it."""
    return record == {"type": "A", "ttl": ttl, "values": sorted(values), "alias": None, "routing": None}


def find_conflict(hostname: str, found: list[RecordSet], *, adopt: bool) -> str | None:
    """Return why the existing record sets prevent the creation of the record, if so."""
    for record in found:
        existing = f"{hostname} already has {_kind(record)}: {_value(record)}"
        if record["type"] == "CNAME":
            return f"{existing}. Route 53 allows no A record beside it; remove it first."
        if record["routing"]:
            return f"{existing}. It has a routing policy (set {record['routing']}); remove all of its sets first."
        if not adopt:
            ttl = "" if record["alias"] else f" (TTL {record['ttl']})"
            return (
                f"{existing}{ttl}. This stack did not create it. To take it over: pulumi config set "
                "adoptRecord true. Its old value is kept in the output recordBefore."
            )
    return None


class DnsRecord(pulumi.ComponentResource):
    """The A record that points the hostname to the gateway's addresses.

    It is declared in two steps, so that a name which is taken stops a run before anything else is created, and the
    record is created last.
    """

    previous_records: pulumi.Output[list[RecordSet]]
    """The record sets of the name before the stack created or took over its record; never changed afterwards."""

    name_check: pulumi.Resource
    """Created only if the name is free, or this stack's."""

    def __init__(self, name: str, *, config: RecordConfig, found: ZoneLookup, protect: bool) -> None:
        super().__init__("session-context:index:DnsRecord", name)
        self._name, self._config, self._found = name, config, found
        others = [record for record in found.records if not is_declared(record, config.addresses, config.ttl)]
        # An existing record can still be updated and destroyed, so a delegation is only a warning here.
        for warning in [*found.warnings, *filter(None, [found.delegation])]:
            pulumi.warn(warning, self)

        def refuse(_: pulumi.ResourceHookArgs) -> None:
            if reason := found.delegation or find_conflict(config.hostname, others, adopt=config.adopt):
                raise pulumi.RunError(reason)

        # The engine calls it before a create, so never for a record that this stack has already.
        hook = pulumi.ResourceHook(f"{name}-is-free", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
        self._options = pulumi.ResourceOptions(
            parent=self, protect=protect, hooks=pulumi.ResourceHookBinding(before_create=[hook])
        )
        self.name_check = pulumi.Stash(
            f"{config.hostname}-before",
            input=others,
            opts=pulumi.ResourceOptions.merge(self._options, pulumi.ResourceOptions(ignore_changes=["input"])),
        )
        self.previous_records = self.name_check.output

    def create_record(self, *, after: pulumi.Resource) -> aws.route53.Record:
        """Declare the record itself, to be created after what it points to."""
        options = pulumi.ResourceOptions(
            custom_timeouts=TIMEOUTS,
            depends_on=[self.name_check, after],
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
