"""The rules of the policy pack. A value that only an `up` will know violates none.

`pack.py` registers the rules with Pulumi's engine, and tests apply them to the golden plans. No message repeats a
value that may be secret.
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
    ttl = record.get("ttl")
    if not record.get("aliases") and ttl != UNKNOWN and not MIN_TTL <= int(ttl or 0) <= MAX_TTL:
        yield f"its TTL is {ttl}; set `ttl` from {MIN_TTL} to {MAX_TTL} seconds"


def _protected(resource: Declared) -> Iterator[str]:
    if resource.in_prod and not resource.protect:
        yield "a destroy or a replacement would delete it; protect it with `pulumi config set protect true`"


RULES = [
    Rule(
        name="no-published-port",
        description="Containers are reachable through the gateway only.",
        types=frozenset({CONTAINER}),
        check=containers.no_published_port,
    ),
    Rule(
        name="no-root",
        description="Containers run as an unprivileged user.",
        types=frozenset({CONTAINER}),
        check=containers.not_root,
    ),
    Rule(
        name="read-only-root",
        description="A process in a container can't change its own program.",
        types=frozenset({CONTAINER}),
        check=containers.read_only_root,
    ),
    Rule(
        name="limits",
        description="No container can use up the memory, the disk or the processes of the others.",
        types=frozenset({CONTAINER}),
        check=containers.limits,
    ),
    Rule(
        name="pinned-image",
        description="The image that was reviewed is the one that runs.",
        types=frozenset({CONTAINER}),
        check=containers.pinned_image,
    ),
    Rule(
        name="narrow-route",
        description="A route in the shared gateway matches its own host names only.",
        types=frozenset({routes.ROUTE}),
        check=routes.narrow_route,
    ),
    Rule(
        name="ttl",
        description="Resolvers cache the A record, but not for long.",
        types=frozenset({RECORD}),
        check=_ttl,
    ),
    Rule(
        name="protected-in-prod",
        description="Deleting production's record or data takes two explicit steps.",
        types=frozenset({RECORD, VOLUME}),
        check=_protected,
    ),
]

STACK_RULES = [
    StackRule(
        name="key-auth-in-prod",
        description="In production, only consumers with a key are admitted.",
        check=routes.key_auth,
    ),
    StackRule(
        name="acl-in-prod",
        description="In production, consumers of other services are not admitted.",
        check=routes.own_consumers,
    ),
    StackRule(
        name="no-plain-http-outside",
        description="Requests leave the private network only encrypted.",
        check=routes.plain_http_stays_private,
    ),
]
