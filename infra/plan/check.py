"""`python -m infra.plan check`: checks every stack where Kong, AWS, Docker and the state can't be reached."""

from collections.abc import Iterator
from difflib import unified_diff
from enum import IntEnum
from pathlib import Path

import pulumi

from infra.plan.golden import PLANS, render_plan
from infra.plan.stack_file import project_name, read_config, stack_files, stack_name


class Outcome(IntEnum):
    """The exit code. None says that all is well: what can't be looked at may still be wrong."""

    INVALID = 1
    CHANGED = 2
    NOT_LOOKED_AT = 3


def main() -> int:
    """Check all stacks, print what was found and what was not looked at, and return the worst outcome."""
    return min(check(file, PLANS) for file in stack_files())


def check(file: Path, plans: Path) -> Outcome:
    """Compare what a stack declares with its plan in git."""
    stack = stack_name(file)
    golden = plans / f"{stack}.yaml"
    try:
        plan = render_plan(file)
    except pulumi.RunError as error:
        print(f"\nStack {stack}: {error}")
        return Outcome.INVALID
    planned = golden.read_text() if golden.is_file() else ""
    changes = [*unified_diff(planned.splitlines(), plan.splitlines(), f"git: {golden.name}", "now", lineterm="")]
    print(
        f"\nStack {stack}: valid, and {'differs from its plan' if changes else 'as in its plan'} in git",
        *changes,
        sep="\n",
    )
    print("Not looked at:", *_not_looked_at(file), sep="\n  - ")
    return Outcome.CHANGED if changes else Outcome.NOT_LOOKED_AT


def _not_looked_at(file: Path) -> Iterator[str]:
    """Yield what a preview of the stack would ask, and this does not."""
    values, secrets = read_config(file)
    prefix = f"{project_name()}:"
    config = {key.removeprefix(prefix): value for key, value in values.items()}
    yield "the state: what is deployed already, and what an `up` would change"
    yield f"Kong at {config['kongAdminUrl']}: whether it accepts the entities, and whether their names are free"
    if config["dns"] == "route53":
        yield f"zone {config['hostedZoneId']} of Route 53: whether {config['hostname']} is in it, and free"
    if config["containerHost"] == "kubernetes":
        yield f"the cluster: whether it accepts the objects in namespace {config['namespace']}"
    else:
        engine = config["dockerHost"] or "of this machine"
        yield f"the Docker engine {engine}: whether it answers, and has the network"
    if image := config["image"] or config["imageRepository"]:
        yield f"the registry of {image}: whether it has the image"
    if secrets:
        names = ", ".join(sorted(key.removeprefix(prefix) for key in secrets))
        yield f"secrets, which valid placeholders replace: {names}"
