"""The API's public name: one A record in Route 53."""

import pulumi
import pulumi_aws as aws

TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m", delete="5m")
"""Route 53 takes a minute to tell all its name servers; an API that hangs would hold a run for half an hour."""


class DnsRecord(pulumi.ComponentResource):
    """The A record that leads from the hostname to the gateway's addresses."""

    record: aws.route53.Record

    def __init__(
        self,
        name: str,
        *,
        hostname: str,
        zone_id: str,
        addresses: list[str],
        ttl: int,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:DnsRecord", name, None, opts)
        self.record = aws.route53.Record(
            name,
            zone_id=zone_id,
            name=hostname,
            type=aws.route53.RecordType.A,
            ttl=ttl,
            records=addresses,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=TIMEOUTS),
        )
        self.register_outputs({"name": self.record.name, "addresses": self.record.records})
