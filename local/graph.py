"""`make graph`: the deployed stack as an SVG, from its state."""

import os
from pathlib import Path
from typing import Any

from infra.report.svg import Node, render_svg
from local import pulumi_stack
from local.console import say
from local.workspace import STATE, LocalError, Workspace

HIDDEN = ("pulumi:",)
"""The stack itself, providers, and values that the program stashes."""


def graph(workspace: Workspace) -> None:
    """Write the SVG to FILE."""
    pulumi_stack.require_deployed(workspace)
    resources = pulumi_stack.read_state(workspace)["deployment"].get("resources") or []
    nodes = {resource["urn"]: _node(resource) for resource in resources if _is_shown(resource)}
    if not nodes:
        raise LocalError(f"stack {workspace.stack} has no resources. Run `{workspace.command('up')}` first.")
    file = Path(os.environ.get("FILE") or STATE / f"{workspace.stack}.svg")
    file.write_text(render_svg(f"Stack {workspace.stack}", nodes), encoding="utf-8")
    say(f"{len(nodes)} resources: {file}")


def _is_shown(resource: dict[str, Any]) -> bool:
    return bool(resource.get("custom")) and not resource["type"].startswith(HIDDEN)


def _node(resource: dict[str, Any]) -> Node:
    """Return a node with the resource's name as Docker, Kong or Route 53 has it, else with Pulumi's."""
    outputs = resource.get("outputs") or {}
    names = (outputs.get(key) for key in ("imageName", "fqdn", "name", "target"))
    name = next((name for name in names if isinstance(name, str) and name), resource["urn"].rpartition("::")[2])
    parent = resource.get("parent", "").partition("::")[2].partition("::")[2].rpartition("::")[0]
    group = parent.rpartition("$")[2].rpartition(":")[2]
    return Node(resource["type"].rpartition(":")[2], name, group, list(resource.get("dependencies") or []))
