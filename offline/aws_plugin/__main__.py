"""Stand-in for Pulumi's AWS plugin, for machines that can't download it.

Of AWS it serves `aws.route53.Record` (with values and a TTL, or an alias), `get_zone` by id and `get_records`, as
plugin 7.51 does.
"""

import sys
from functools import partial
from importlib.metadata import version

from infra.plugin import Offer, serve


def load() -> Offer:
    """Return what the plugin offers."""
    from offline.aws_plugin.route53 import Record, Route53, get_records, get_zone

    route53 = Route53()
    return Offer(
        {"aws:route53/record:Record": Record(route53)},
        {
            "aws:route53/getZone:getZone": partial(get_zone, route53),
            "aws:route53/getRecords:getRecords": partial(get_records, route53),
        },
        route53.configure,
    )


print("a stand-in serves for Pulumi's AWS plugin (offline/aws_plugin)", file=sys.stderr)
# As Pulumi's own plugins, which check every five minutes whether the engine lives.
serve(version("pulumi-aws"), load, poll_seconds=300)
