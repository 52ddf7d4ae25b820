"""The stack as a Mermaid graph, coloured by what happens."""

import re
from collections.abc import Mapping
from typing import Any

from infra.report.preview import STACK, Change

MAX_NODES = 80
MAX_EDGES = 300  # GitHub draws up to 500
COLOURS = {
    "create": "#1a7f37",
    "update": "#9a6700",
    "replace": "#bc4c00",
    "delete": "#cf222e",
    "import": "#0969da",
    "read": "#0969da",
    "forget": "#cf222e",
}


def graph(changes: list[Change]) -> str:
    """A Mermaid flowchart: solid lines lead to children, dotted ones to what depends on a resource."""
    kept = sorted(changes, key=lambda change: change.action == "same")[:MAX_NODES]
    ids = {change.urn: f"n{number}" for number, change in enumerate(kept)}
    above = {urn for change in kept if _shown(urn := str(_state(change).get("parent", "")))}
    for urn in sorted(above - ids.keys()):
        ids[urn] = f"n{len(ids)}"
        kept.append(Change(urn=urn, action="same", old={}, new={}))
    lines = ["flowchart LR"]
    lines += [f'  {ids[change.urn]}["{_label(change)}"]{_class(change)}' for change in kept]
    edges = []
    for change in kept:
        state = _state(change)
        if state.get("parent") in ids:
            edges.append(f"  {ids[state['parent']]} --> {ids[change.urn]}")
        edges += [
            f"  {ids[urn]} -.-> {ids[change.urn]}" for urn in sorted(state.get("dependencies") or []) if urn in ids
        ]
    lines += edges[:MAX_EDGES]
    lines += [f"  classDef {action} fill:{colour},color:#fff" for action, colour in COLOURS.items()]
    if len(changes) > MAX_NODES:
        lines.append(f'  more["and {len(changes) - MAX_NODES} more"]')
    return "\n".join(lines)


def _state(change: Change) -> Mapping[str, Any]:
    return change.new or change.old


def _shown(urn: str) -> bool:
    return urn.count("::") >= 3 and urn.split("::")[2] != STACK


def _class(change: Change) -> str:
    return f":::{change.action}" if change.action in COLOURS else ""


def _label(change: Change) -> str:
    return f"{_word(change.kind)}<br>{_word(change.name)}"


def _word(text: str) -> str:
    """Text without what Mermaid, Markdown or HTML would read as theirs."""
    return re.sub(r"[^\w.:-]", "·", text[:60], flags=re.ASCII)
