"""Foreign text in Markdown: nothing in a value can act as markup, mention anybody, or look like another value."""

import html
import json
import re
import unicodedata
from typing import Any

from infra.report.preview import masked

LONGEST = 240
SAME_BEGINNING = 24


def visible(text: str) -> str:
    """Text on one line, in which what would not be seen, or would turn the text round, is written out."""
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs") else char
        for char in text.replace("\n", "\\n")
    )


def value(item: Any) -> str:  # noqa: ANN401 - JSON
    """A JSON value on one line, secrets masked; of any length."""
    plain = masked(item)
    return visible(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False))


def pair(old: Any, new: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
    """Two values, cut where they are long and alike, so that their difference is seen."""
    first, second = value(old), value(new)
    same = next((at for at, (one, two) in enumerate(zip(first, second, strict=False)) if one != two), 0)
    if same > LONGEST - SAME_BEGINNING:
        first, second = (f"…{text[same - SAME_BEGINNING :]}" for text in (first, second))
    return cut(first), cut(second)


def cut(text: str) -> str:
    """Text of a length that a reviewer reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def code(item: Any) -> str:  # noqa: ANN401 - JSON
    """A value in a line of Markdown."""
    text = cut(value(item))
    fence = "`" * (_longest_run(text) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


def html_code(text: str) -> str:
    """A name in a line of HTML."""
    return f"<code>{html.escape(cut(visible(text)))}</code>"


def block(text: str, language: str = "") -> str:
    """Lines that stand as they are."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
