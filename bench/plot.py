"""The plot of the figures: a bar for each subject and workload, on a logarithmic scale, as SVG."""

import math
from collections.abc import Iterator
from html import escape

from bench.report import NAMES, Figures, name, short
from bench.results import Row

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 860, 190, 90, 11, 12, 40
_COLOURS = ("#2f81f7", "#3fb950", "#d29922", "#8b949e")
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  line { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } line { stroke: #3d444d } }
"""


def plot(figures: Figures, rows: list[Row]) -> str:
    """Draw requests a second for these rows."""
    highest = max(figures.of(row, subject) or 1 for row in rows for subject in NAMES)
    decades = math.ceil(math.log10(highest))
    scale = (_WIDTH - _LEFT - _RIGHT) / decades
    parts = [*_legend()]
    groups, bottom = [], _TOP
    for row in rows:
        bars = [(colour, figures.of(row, subject)) for colour, subject in zip(_COLOURS, NAMES, strict=True)]
        shown = [(colour, rate) for colour, rate in bars if rate]
        groups.append(_text(_LEFT - 8, bottom + _BAR * len(shown) / 2 + 4, name(row), "end"))
        for colour, rate in shown:
            width = scale * math.log10(rate)
            groups.append(
                f'<rect x="{_LEFT}" y="{bottom}" width="{width:.1f}" height="{_BAR - 1}" fill="{colour}"/>'
            )
            groups.append(_text(_LEFT + width + 5, bottom + _BAR - 2, short(rate), "start"))
            bottom += _BAR
        bottom += _GAP
    for decade in range(decades + 1):
        x = _LEFT + scale * decade
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 16, f"{10**decade:,}", "middle"))
    size = f'viewBox="0 0 {_WIDTH} {bottom + 26}" width="{_WIDTH}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Requests a second">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, *groups, "</svg>", ""])


def _legend() -> Iterator[str]:
    x = _LEFT
    for colour, title in zip(_COLOURS, NAMES.values(), strict=True):
        yield f'<rect x="{x}" y="8" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 17, 19, title, "start")
        x += 40 + 7 * len(title)
    yield _text(x, 19, "requests a second, median", "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
