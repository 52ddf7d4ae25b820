"""The golden plans in `plans/`: what each stack is made of, told without an engine, a cloud or a gateway."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.image import TAG_DIGITS
from infra.paths import ROOT
from infra.plan.recorder import Resource, declared
from infra.plan.stack_file import stack_files, stack_of
from infra.props import UNKNOWN

PLANS = ROOT / "plans"
CONTENT = re.compile(rf"(?<=[:-])[0-9a-f]{{{TAG_DIGITS}}}\b")
"""The image's tag, and what is named after it."""

RANDOM = re.compile(r"\b[0-9a-f]{32}\b")
LOOPBACK = re.compile(r"\b127\.0\.0\.1:\d+")
HEAD = """\
# What stack {stack} is made of: every resource with its inputs. Written by `make plans`.
# In a pull request, a change here is a change of the infrastructure. Masked are secrets, the hash of the image's
# content, what is random, and the ports that the platform takes on one machine.
"""


def text(file: Path) -> str:
    """The golden plan of the stack of a file."""
    resources, outputs = declared(file)
    told = {
        "resources": {f"{resource.type}::{resource.name}": _entry(resource) for resource in resources},
        "outputs": outputs,
    }
    body = yaml.safe_dump(_masked(told), sort_keys=True, width=110, allow_unicode=True)
    return f"{HEAD.format(stack=stack_of(file))}{body}"


def _entry(resource: Resource) -> dict[str, Any]:
    given = {
        "dependsOn": resource.depends_on,
        "id": "" if resource.id.startswith("[") else resource.id,
        "inputs": resource.inputs,
        "options": resource.options,
        "parent": resource.parent,
        "protect": resource.protect,
        "provider": resource.provider,
    }
    return {name: value for name, value in given.items() if value}


def _masked(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value without what differs from one commit or machine to the next."""
    if isinstance(value, Mapping):
        return {_masked(name): _masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        text = RANDOM.sub("[random]", CONTENT.sub("[content]", value))
        return LOOPBACK.sub("127.0.0.1:[port]", text).replace(UNKNOWN, "[unknown before up]")
    return value


def main() -> None:
    """Write the plan of every stack that has a file here."""
    PLANS.mkdir(exist_ok=True)
    for file in stack_files():
        plan = PLANS / f"{stack_of(file)}.yaml"
        plan.write_text(text(file))
        print(plan.relative_to(ROOT))
