"""A stack as an SVG: a column for each component, with arrows from each resource to those that depend on it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from infra.report.escape import visible

BOX_WIDTH, BOX_HEIGHT, GAP = 280, 52, 20
COLUMN_GAP, MARGIN, TITLE = 90, 20, 34
MAX_CHARACTERS = 36
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img"
  viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{title}</title>
<style>
text {{ font: 13px sans-serif; fill: #1f2328 }} .kind {{ font-weight: 600 }} .name, .title {{ fill: #59636e }}
.page, .box {{ fill: #fff }} .box {{ stroke: #0969da }} .column {{ fill: #f6f8fa; stroke: #d1d9e0 }}
.arrow {{ fill: none; stroke: #818b98 }} #head {{ fill: #818b98 }}
</style>
<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path id="head" d="M0 0 8 4 0 8z"/></marker>
<rect class="page" width="{width}" height="{height}"/>"""


@dataclass(frozen=True)
class Node:
    """A resource: what it is, how it is called, its component, and the ids of those it depends on."""

    kind: str
    name: str
    group: str
    needs: list[str] = field(default_factory=list)


def render_svg(title: str, nodes: Mapping[str, Node]) -> str:
    """Return the SVG of nodes by their ids. It needs no other file and runs no script."""
    needs = _reduce({key: {need for need in node.needs if need in nodes} for key, node in nodes.items()})
    columns = _order_columns(nodes, needs)
    places = dict(_place(columns))
    width = MARGIN + max(1, len(columns)) * (BOX_WIDTH + 2 * GAP + COLUMN_GAP) - COLUMN_GAP + MARGIN
    tallest = max(map(len, columns.values()), default=0)
    height = 2 * MARGIN + TITLE + tallest * (BOX_HEIGHT + GAP) + GAP
    parts = [
        HEAD.format(width=width, height=height, title=_text(title)),
        *_draw_columns(columns),
        *(_draw_box(nodes[key], *place) for key, place in places.items()),
        *(_draw_arrow(places[need], places[key]) for key in places for need in sorted(needs[key])),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _reduce(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each arrow that a longer way implies."""
    reachable: dict[str, set[str]] = {}

    def reach(key: str) -> set[str]:
        if key not in reachable:
            reachable[key] = set()
            reachable[key] = needs[key].union(*map(reach, needs[key]))
        return reachable[key]

    return {key: own - set[str]().union(*(reach(need) for need in own)) for key, own in needs.items()}


def _order_columns(nodes: Mapping[str, Node], needs: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Return the ids by component, each after those that it depends on where that is possible."""
    ordered = _sort(dict(needs))
    groups = defaultdict(list)
    for key in ordered:
        groups[nodes[key].group].append(key)
    between = {
        group: {nodes[need].group for key in keys for need in needs[key]} - {group}
        for group, keys in groups.items()
    }
    return {group: groups[group] for group in _sort(between)}


def _sort(needs: Mapping[str, set[str]]) -> list[str]:
    """Sort by dependency, and else by name. Where there is a cycle, the first by name comes first."""
    left, ordered = {key: set(own) for key, own in needs.items()}, list[str]()
    while left:
        free = [key for key, own in left.items() if not own & left.keys()] or list(left)
        ordered.append(min(free))
        del left[ordered[-1]]
    return ordered


def _place(columns: Mapping[str, list[str]]) -> Iterator[tuple[str, tuple[int, int]]]:
    for column, keys in enumerate(columns.values()):
        for row, key in enumerate(keys):
            x = MARGIN + GAP + column * (BOX_WIDTH + 2 * GAP + COLUMN_GAP)
            yield key, (x, MARGIN + TITLE + GAP // 2 + row * (BOX_HEIGHT + GAP))


def _draw_columns(columns: Mapping[str, list[str]]) -> Iterator[str]:
    for column, (group, keys) in enumerate(columns.items()):
        x = MARGIN + column * (BOX_WIDTH + 2 * GAP + COLUMN_GAP)
        height = TITLE + len(keys) * (BOX_HEIGHT + GAP) + GAP // 2
        yield (
            f'<rect class="column" x="{x}" y="{MARGIN}" width="{BOX_WIDTH + 2 * GAP}" height="{height}" rx="8"/>'
            f'<text class="title" x="{x + GAP}" y="{MARGIN + 22}">{_text(group)}</text>'
        )


def _draw_box(node: Node, x: int, y: int) -> str:
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="kind" x="{x + 10}" y="{y + 21}">{_text(node.kind)}</text>'
        f'<text class="name" x="{x + 10}" y="{y + 40}">{_text(node.name)}</text>'
    )


def _draw_arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Draw from the right side of a box to the left one of another, or around the right of their column."""
    (x1, y1), (x2, y2) = (start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT // 2), (end[0], end[1] + BOX_HEIGHT // 2)
    if start[0] == end[0]:
        x2 += BOX_WIDTH
        bend = x1 + 14 + abs(y2 - y1) // 12
        path = f"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}"
    else:
        path = f"M{x1} {y1}C{x1 + COLUMN_GAP} {y1} {x2 - COLUMN_GAP} {y2} {x2} {y2}"
    return f'<path class="arrow" d="{path}" marker-end="url(#arrow)"/>'


def _text(text: str) -> str:
    plain = visible(text)
    return escape(plain if len(plain) <= MAX_CHARACTERS else f"{plain[: MAX_CHARACTERS - 1]}…")
