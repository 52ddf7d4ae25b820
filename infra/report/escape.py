"""Escapes untrusted text for Markdown: a value can't act as markup, mention anyone, or imitate another value."""

import html
import json
import re
import unicodedata

from infra.report.preview import mask

MAX_LENGTH = 240
PREFIX_LENGTH = 24


def visible(text: str) -> str:
    """Return text on one line, with invisible and bidirectional control characters escaped."""
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs") else char
        for char in text.replace("\n", "\\n")
    )


def format_value(item: object) -> str:
    """Format a JSON value on one line, of any length, with secrets masked."""
    plain = mask(item)
    return visible(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False))


def format_pair(old: object, new: object) -> tuple[str, str]:
    """Format two values, with a long common prefix shortened, so that their difference is visible."""
    first, second = format_value(old), format_value(new)
    same = next((at for at, (one, two) in enumerate(zip(first, second, strict=False)) if one != two), 0)
    if same > MAX_LENGTH - PREFIX_LENGTH:
        first, second = (f"…{text[same - PREFIX_LENGTH :]}" for text in (first, second))
    return shorten(first), shorten(second)


def shorten(text: str) -> str:
    """Shorten text to a readable length."""
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}… ({len(text)} characters)"


def code(item: object) -> str:
    """Return a value as a code span of Markdown."""
    text = shorten(format_value(item))
    fence = "`" * (_longest_run(text) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


def html_code(text: str) -> str:
    """Return text as a code element of HTML."""
    return f"<code>{html.escape(shorten(visible(text)))}</code>"


def block(text: str, language: str = "") -> str:
    """Return lines as a fenced code block."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
