"""The stack as a Mermaid graph, colored by change."""

import re

from infra.report.preview import STACK, Change, State

MAX_NODES = 80
MAX_EDGES = 300  # GitHub draws up to 500
COLORS = {
    "create": "#1a7f37",
    "update": "#9a6700",
    "replace": "#bc4c00",
    "delete": "#cf222e",
    "import": "#0969da",
    "read": "#0969da",
    "forget": "#cf222e",
}


def render_graph(changes: list[Change]) -> str:
    """Return a Mermaid flowchart: solid arrows to children, dotted ones to dependent resources."""
    kept = sorted(changes, key=lambda change: change.action == "same")[:MAX_NODES]
    ids = {change.urn: f"n{number}" for number, change in enumerate(kept)}
    parents = {urn for change in kept if _is_shown(urn := str(_state(change).get("parent", "")))}
    for urn in sorted(parents - ids.keys()):
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
    lines += [f"  classDef {action} fill:{color},color:#fff" for action, color in COLORS.items()]
    if len(changes) > MAX_NODES:
        lines.append(f'  more["and {len(changes) - MAX_NODES} more"]')
    return "\n".join(lines)


def _state(change: Change) -> State:
    return change.new or change.old


def _is_shown(urn: str) -> bool:
    return urn.count("::") >= 3 and urn.split("::")[2] != STACK


def _class(change: Change) -> str:
    return f":::{change.action}" if change.action in COLORS else ""


def _label(change: Change) -> str:
    return f"{_sanitize(change.kind)}<br>{_sanitize(change.name)}"


def _sanitize(text: str) -> str:
    """Replace every character that is special in Mermaid, Markdown or HTML."""
    return re.sub(r"[^\w.:-]", "·", text[:60], flags=re.ASCII)
