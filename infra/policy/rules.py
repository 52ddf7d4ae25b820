"""What every stack must keep, whoever changes the program. A value that only an `up` will know breaks no rule.

`pack.py` shows the rules to Pulumi's engine; tests hold the golden plans to them. No message repeats a value that
may be secret.
"""

from collections.abc import Iterator

from infra.policy import containers, routes
from infra.policy.declared import Declared, Rule, StackRule
from infra.props import UNKNOWN

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
RECORD = "aws:route53/record:Record"
MIN_TTL, MAX_TTL = 30, 3600


def _ttl(record: Declared) -> Iterator[str]:
    ttl = record.given("ttl")
    if not record.given("aliases") and ttl != UNKNOWN and not MIN_TTL <= int(ttl or 0) <= MAX_TTL:
        yield f"its TTL is {ttl}: set `ttl` from {MIN_TTL} to {MAX_TTL} seconds"


def _protected(resource: Declared) -> Iterator[str]:
    if resource.in_prod and not resource.protect:
        yield "a destroy or a replacement would take it away: protect it (`pulumi config set protect true`)"


RULES = [
    Rule(
        name="no-published-port",
        description="Containers are reached through the gateway alone.",
        types=frozenset({CONTAINER}),
        check=containers.no_published_port,
    ),
    Rule(
        name="no-root",
        description="Containers run as a user who may do nothing on the machine.",
        types=frozenset({CONTAINER}),
        check=containers.not_root,
    ),
    Rule(
        name="read-only-root",
        description="What runs in a container can't change its own program.",
        types=frozenset({CONTAINER}),
        check=containers.read_only_root,
    ),
    Rule(
        name="limits",
        description="No container can take memory or disk from the others, or be stopped by how much they run.",
        types=frozenset({CONTAINER}),
        check=containers.limits,
    ),
    Rule(
        name="pinned-image",
        description="What was reviewed is what runs.",
        types=frozenset({CONTAINER}),
        check=containers.pinned_image,
    ),
    Rule(
        name="narrow-route",
        description="A route in the shared gateway takes its own host names alone.",
        types=frozenset({routes.ROUTE}),
        check=routes.narrow_route,
    ),
    Rule(
        name="ttl",
        description="A change of the A record is seen soon, and resolvers may keep it for a while.",
        types=frozenset({RECORD}),
        check=_ttl,
    ),
    Rule(
        name="protected-in-prod",
        description="The public name and the data of prod go only when told to twice.",
        types=frozenset({RECORD, VOLUME}),
        check=_protected,
    ),
]

STACK_RULES = [
    StackRule(
        name="key-auth-in-prod",
        description="In prod only consumers with a key are let in.",
        check=routes.key_auth,
    ),
    StackRule(
        name="acl-in-prod",
        description="In prod a key of another service's consumer lets nobody in.",
        check=routes.own_consumers,
    ),
    StackRule(
        name="no-plain-http-outside",
        description="Requests leave the private network encrypted or not at all.",
        check=routes.plain_http_stays_private,
    ),
]
