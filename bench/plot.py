"""The plot of the figures as SVG: a bar for each subject and case, on a logarithmic scale."""

import math
from collections.abc import Iterator
from html import escape

from bench.report import NAMES, Figures, name, short
from bench.results import Case

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 860, 190, 90, 11, 12, 40
_COLORS = ("#2f81f7", "#3fb950", "#d29922", "#8b949e")
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  line { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } line { stroke: #3d444d } }
"""


def plot(figures: Figures, cases: list[Case]) -> str:
    """Draw the requests per second of these cases."""
    highest = max(figures.of(case, subject) or 1 for case in cases for subject in NAMES)
    decades = math.ceil(math.log10(highest))
    scale = (_WIDTH - _LEFT - _RIGHT) / decades
    parts = [*_legend()]
    groups, bottom = [], _TOP
    for case in cases:
        bars = [(color, figures.of(case, subject)) for color, subject in zip(_COLORS, NAMES, strict=True)]
        shown = [(color, rate) for color, rate in bars if rate]
        groups.append(_text(_LEFT - 8, bottom + _BAR * len(shown) / 2 + 4, name(case), "end"))
        for color, rate in shown:
            width = scale * math.log10(rate)
            groups.append(
                f'<rect x="{_LEFT}" y="{bottom}" width="{width:.1f}" height="{_BAR - 1}" fill="{color}"/>'
            )
            groups.append(_text(_LEFT + width + 5, bottom + _BAR - 2, short(rate), "start"))
            bottom += _BAR
        bottom += _GAP
    for decade in range(decades + 1):
        x = _LEFT + scale * decade
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 16, f"{10**decade:,}", "middle"))
    size = f'viewBox="0 0 {_WIDTH} {bottom + 26}" width="{_WIDTH}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Requests per second">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, *groups, "</svg>", ""])


def _legend() -> Iterator[str]:
    x = _LEFT
    for color, title in zip(_COLORS, NAMES.values(), strict=True):
        yield f'<rect x="{x}" y="8" width="12" height="12" fill="{color}"/>'
        yield _text(x + 17, 19, title, "start")
        x += 40 + 7 * len(title)
    yield _text(x, 19, "requests per second, median", "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
