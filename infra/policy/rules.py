"""The rules of the policy pack. A value that only an `up` will know violates none.

`pack.py` registers the rules with Pulumi's engine, and tests apply them to the golden plans. No message repeats a
value that may be secret.
"""

from collections.abc import Iterator

from infra.policy import admin_api, containers, pods, routes
from infra.policy.declared import Declared, rule
from infra.props import UNKNOWN

VOLUME = "docker:index/volume:Volume"
RECORD = "aws:route53/record:Record"
MIN_TTL, MAX_TTL = 30, 3600


@rule("ttl", "Resolvers cache the record, but not for long.", RECORD)
def limited_ttl(record: Declared) -> Iterator[str]:
    ttl = record.get("ttl")
    if not record.get("aliases") and ttl != UNKNOWN and not MIN_TTL <= int(ttl or 0) <= MAX_TTL:
        yield f"its TTL is {ttl}; set `ttl` from {MIN_TTL} to {MAX_TTL} seconds"


@rule("protected-in-prod", "Deleting production's record or data takes two explicit steps.", RECORD, VOLUME)
def protected(resource: Declared) -> Iterator[str]:
    if resource.in_prod and not resource.protect:
        yield "a destroy or a replacement would delete it; protect it with `pulumi config set protect true`"


RULES = [
    containers.no_published_port,
    containers.not_root,
    containers.read_only_root,
    containers.limits,
    containers.pinned_image,
    pods.hardened,
    pods.pinned_image,
    pods.no_load_balancer,
    routes.narrow_route,
    admin_api.encrypted,
    limited_ttl,
    protected,
]
STACK_RULES = [routes.key_auth, routes.own_consumers, routes.no_plain_http_outside]
