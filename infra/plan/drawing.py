"""The drawing of a stack for the docs, from its plan."""

from pathlib import Path

from infra.paths import ROOT
from infra.plan.recorder import PlannedResource, record_plan
from infra.plan.stack_file import stack_name
from infra.report.svg import Node, render_svg

DRAWN = ROOT / "Pulumi.dev.yaml"
DRAWING = ROOT / "docs" / "stack.svg"


def draw_plan(file: Path) -> str:
    """Return the SVG of the stack that a file configures, without providers and stashed values."""
    resources, _ = record_plan(file)
    nodes = {
        f"{resource.type}::{resource.name}": _node(resource)
        for resource in resources
        if resource.id and not resource.type.startswith("pulumi:")
    }
    return render_svg(f"Stack {stack_name(file)}", nodes)


def _node(resource: PlannedResource) -> Node:
    group = resource.parent.partition("::")[0].rpartition(":")[2]
    name = str(resource.inputs.get("name", resource.name))
    return Node(resource.type.rpartition(":")[2], name, group, resource.depends_on)
