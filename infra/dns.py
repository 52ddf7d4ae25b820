"""The API's public name: its records in Route 53, in a zone that every preview reads."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.config.record import AliasTarget, RecordConfig
from infra.zone import RecordSet, ZoneLookup, describe_kind, describe_value, unmanaged_warning

TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m", delete="5m")
"""Route 53 needs a minute to update all name servers. The default of an unresponsive API is half an hour."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One record that the config declares: of an address family, with its addresses or an alias."""

    type: aws.route53.RecordType
    addresses: list[str]
    alias: AliasTarget | None
    ttl: int

    def is_exactly(self, record: RecordSet) -> bool:
        """Return whether a record set is exactly this one: then an interrupted run created it."""
        alias = record["alias"] and record["alias"] | {"DNSName": record["alias"]["DNSName"].rstrip(".").lower()}
        return (record | {"alias": alias}) == {
            "type": self.type.value,
            "ttl": None if self.alias else self.ttl,
            "values": sorted(self.addresses),
            "alias": self.alias
            and {
                "DNSName": self.alias.name,
                "HostedZoneId": self.alias.zone_id,
                "EvaluateTargetHealth": False,
            },
            "routing": None,
        }


def declared_records(config: RecordConfig) -> list[Declared]:
    """Return the records that the config declares, A before AAAA."""
    ipv4, ipv6 = aws.route53.RecordType.A, aws.route53.RecordType.AAAA
    if config.alias:
        types = [ipv4, ipv6] if config.alias.ipv6 else [ipv4]
        return [Declared(type=each, addresses=[], alias=config.alias, ttl=config.ttl) for each in types]
    families = ((ipv4, config.ipv4_addresses), (ipv6, config.ipv6_addresses))
    return [
        Declared(type=each, addresses=addresses, alias=None, ttl=config.ttl)
        for each, addresses in families
        if addresses
    ]


def find_conflict(hostname: str, found: list[RecordSet], *, adopt: bool) -> str | None:
    """Return why the existing record sets prevent the creation of a record, if so."""
    for record in found:
        existing = f"{hostname} already has {describe_kind(record)}: {describe_value(record)}"
        if record["type"] == "CNAME":
            return f"{existing}. Route 53 allows no other record beside it; remove it first."
        if record["routing"]:
            return f"{existing}. It has a routing policy (set {record['routing']}); remove all of its sets first."
        if not adopt:
            ttl = "" if record["alias"] else f" (TTL {record['ttl']})"
            return (
                f"{existing}{ttl}. This stack did not create it. To take it over: pulumi config set "
                "adoptRecord true. Its old value is kept in the output recordBefore."
            )
    return None


class _Record:
    """One record, declared in two steps."""

    def __init__(
        self,
        name: str,
        *,
        config: RecordConfig,
        declared: Declared,
        found: ZoneLookup,
        parent: pulumi.Resource,
        protect: bool,
    ) -> None:
        self._config, self._declared = config, declared
        suffix = "" if declared.type is aws.route53.RecordType.A else "-aaaa"
        self._name = f"{name}{suffix}"
        here = [record for record in found.records if record["type"] in (declared.type.value, "CNAME")]
        self._replaces = bool(here)
        others = [record for record in here if not declared.is_exactly(record)]

        def refuse(_: pulumi.ResourceHookArgs) -> None:
            if reason := found.delegation or find_conflict(config.hostname, others, adopt=config.adopt):
                raise pulumi.RunError(reason)

        # The engine calls it before a create, so never for a record that this stack has already.
        hook = pulumi.ResourceHook(f"{self._name}-is-free", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
        self._options = pulumi.ResourceOptions(
            parent=parent, protect=protect, hooks=pulumi.ResourceHookBinding(before_create=[hook])
        )
        self.name_check = pulumi.Stash(
            f"{config.hostname}-before{suffix}",
            input=others,
            opts=pulumi.ResourceOptions.merge(self._options, pulumi.ResourceOptions(ignore_changes=["input"])),
        )

    def create(self, *, after: pulumi.Resource) -> aws.route53.Record:
        options = pulumi.ResourceOptions(
            custom_timeouts=TIMEOUTS,
            depends_on=[self.name_check, after],
            # Only a create uses it, and it would change as soon as the record exists.
            ignore_changes=["allowOverwrite"],
        )
        alias = self._declared.alias
        aliases = None
        if alias:
            target = aws.route53.RecordAliasArgs(
                name=alias.name, zone_id=alias.zone_id, evaluate_target_health=False
            )
            aliases = [target]
        return aws.route53.Record(
            self._name,
            zone_id=self._config.zone_id or "",
            name=self._config.hostname,
            type=self._declared.type,
            ttl=None if alias else self._declared.ttl,
            records=None if alias else self._declared.addresses,
            aliases=aliases,
            # If false, Route 53 itself refuses to overwrite a record that was created after the lookup.
            allow_overwrite=self._replaces,
            opts=pulumi.ResourceOptions.merge(self._options, options),
        )


class DnsRecord(pulumi.ComponentResource):
    """The records that point the hostname to the gateway: A, AAAA or both.

    They are declared in two steps, so that a name which is taken stops a run before anything else is created, and
    the records are created last.
    """

    previous_records: pulumi.Output[list[RecordSet]]
    """The record sets of the name before the stack created or took over its own; never changed afterwards."""

    name_checks: list[pulumi.Resource]
    """Created only if the name is free, or this stack's."""

    def __init__(self, name: str, *, config: RecordConfig, found: ZoneLookup, protect: bool) -> None:
        super().__init__("session-context:index:DnsRecord", name)
        self._config = config
        declared = declared_records(config)
        unmanaged = {"A", "AAAA"} - {each.type.value for each in declared}
        warnings = [
            unmanaged_warning(config.hostname, record) for record in found.records if record["type"] in unmanaged
        ]
        # An existing record can still be updated and destroyed, so a delegation is only a warning here.
        for warning in [*warnings, *found.warnings, *filter(None, [found.delegation])]:
            pulumi.warn(warning, self)
        self._records = [
            _Record(name, config=config, declared=each, found=found, parent=self, protect=protect)
            for each in declared
        ]
        self.name_checks = [record.name_check for record in self._records]
        self.previous_records = _concat([record.name_check.output for record in self._records])

    def create_records(self, *, after: pulumi.Resource) -> dict[str, Any]:
        """Declare the records themselves, to be created after what they point to; return what they are."""
        records = [record.create(after=after) for record in self._records]
        outputs = {"name": records[0].name, "addresses": _concat([record.records for record in records])}
        self.register_outputs(outputs)
        return outputs


def _concat(lists: list[pulumi.Output[Any]]) -> pulumi.Output[list[Any]]:
    return pulumi.Output.all(*lists).apply(lambda known: [item for each in known for item in each or []])
