"""The API's public name: one A record in Route 53, in a zone that every preview reads."""

import re
from typing import Any

import pulumi
import pulumi_aws as aws

TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m", delete="5m")
"""Route 53 takes a minute to tell all its name servers; an API that hangs would hold a run for half an hour."""

RecordSet = dict[str, Any]
"""One record set as Route 53 has it: type, ttl, values, and what makes it more than a plain one."""


def look_up(zone_id: str, hostname: str) -> list[RecordSet]:
    """The A and CNAME record sets of a name. Raises `pulumi.RunError` when the zone is not there or another."""
    try:
        zone = aws.route53.get_zone(zone_id=zone_id)
        name = rf"^{re.escape(hostname)}\.$"
        # Where no record has the name the provider answers no list at all.
        found = aws.route53.get_records(zone_id=zone_id, name_regex=name).resource_record_sets or []
    except Exception as error:  # the SDK has no narrower one for a function of a provider
        raise pulumi.RunError(f"hostedZoneId {zone_id} can't be read in Route 53: {error}") from error
    if not f".{hostname}".endswith(f".{zone.name}"):
        raise pulumi.RunError(
            f"hostname {hostname} does not lie in zone {zone_id}, which is {zone.name}: mend one of them"
        )
    return [
        {
            "type": record.type,
            "ttl": record.ttl,
            "values": sorted(value.value for value in record.resource_records or []),
            "alias": record.alias_target.dns_name if record.alias_target else None,
            "routing": record.set_identifier or None,
        }
        for record in found
        if record.type in ("A", "CNAME")
    ]


def is_plain(record: RecordSet, values: list[str], ttl: int) -> bool:
    """Whether a record set is exactly what the stack declares: then a run that was lost has made it."""
    return record == {"type": "A", "ttl": ttl, "values": sorted(values), "alias": None, "routing": None}


def objection(hostname: str, found: list[RecordSet], *, adopt: bool) -> str | None:
    """Why a record may not be made beside or over the ones that are there."""
    for record in found:
        says = f"alias of {record['alias']}" if record["alias"] else ", ".join(record["values"])
        there = f"{hostname} has {'a CNAME' if record['type'] == 'CNAME' else 'an A'} record already: {says}"
        if record["type"] == "CNAME":
            return f"{there}. Route 53 allows no A record beside it: remove it first."
        if record["routing"]:
            return f"{there}. It has a routing policy (set {record['routing']}): remove all of its sets first."
        if not adopt:
            return (
                f"{there} (TTL {record['ttl']}). This stack did not make it. To take it over: pulumi config set "
                "adoptRecord true. What it says is kept in the output recordBefore."
            )
    return None


class DnsRecord(pulumi.ComponentResource):
    """The A record that leads from the hostname to the gateway's addresses."""

    record: aws.route53.Record

    before: pulumi.Output[list[RecordSet]]
    """What the name said before the stack made or took over its record; it stays as it was."""

    is_free: pulumi.Resource
    """What waits for this is not made when the name is somebody else's."""

    def __init__(
        self,
        name: str,
        *,
        hostname: str,
        zone_id: str,
        addresses: list[str],
        ttl: int,
        adopt: bool,
        found: list[RecordSet],
        protect: bool,
    ) -> None:
        super().__init__("session-context:index:DnsRecord", name)
        others = [record for record in found if not is_plain(record, addresses, ttl)]

        def refuse(_: pulumi.ResourceHookArgs) -> None:
            if reason := objection(hostname, others, adopt=adopt):
                raise pulumi.RunError(reason)

        # The engine calls it before it creates, so never for a record that is this stack's.
        guard = pulumi.ResourceHook(f"{name}-is-free", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
        self._options = pulumi.ResourceOptions(
            parent=self, protect=protect, hooks=pulumi.ResourceHookBinding(before_create=[guard])
        )
        # All else waits for it, so a name that is taken stops the run before anything is made.
        self.is_free = pulumi.Stash(
            f"{hostname}-before",
            input=others,
            opts=pulumi.ResourceOptions.merge(self._options, pulumi.ResourceOptions(ignore_changes=["input"])),
        )
        self.before = self.is_free.output

        def make_record(after: pulumi.Resource) -> aws.route53.Record:
            return aws.route53.Record(
                name,
                zone_id=zone_id,
                name=hostname,
                type=aws.route53.RecordType.A,
                ttl=ttl,
                records=addresses,
                # Route 53 itself refuses the create else, should somebody make one after the look.
                allow_overwrite=bool(found),
                opts=pulumi.ResourceOptions.merge(
                    self._options,
                    pulumi.ResourceOptions(
                        custom_timeouts=TIMEOUTS,
                        depends_on=[self.is_free, after],
                        # It counts on create only, and says another thing once the record is there.
                        ignore_changes=["allowOverwrite"],
                    ),
                ),
            )

        self._make_record = make_record

    def point(self, after: pulumi.Resource) -> None:
        """Make the record, once there is something for it to lead to."""
        self.record = self._make_record(after)
        self.register_outputs({"name": self.record.name, "addresses": self.record.records})
