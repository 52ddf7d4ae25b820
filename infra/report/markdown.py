"""The report in Markdown: a verdict, the risks, each change, and the graph; short enough for GitHub."""

import html
import re
from collections import Counter
from collections.abc import Iterator

from infra.report.escape import block, code, format_pair, format_value, html_code, shorten, visible
from infra.report.graph import render_graph
from infra.report.preview import ABSENT, Change, Preview
from infra.report.risks import Risk, find_risks

MAX_BYTES = 60_000  # GitHub takes 65,536 characters
MAX_RISKS = 15_000  # in bytes, as all of these: leaves room for the graph, up to 20,000, and some changes
MAX_MESSAGE = 2_000
MAX_MESSAGES = 5
MAX_LINES = 60
SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "import": "=", "read": "<", "forget": "-"}
QUIET = ("same", "read")


def render(preview: Preview) -> str:
    """Render the whole report."""
    changes = [change for change in preview.changes if not change.is_component and change.action not in QUIET]
    found = sorted(
        ((risk, change, why) for change in preview.changes for risk, why in find_risks(change)),
        key=lambda each: each[0],
    )
    head = [
        f"## Preview of stack {code(preview.stack)}" if preview.stack else "## Preview",
        _verdict(preview, changes, {change.urn for _, change, _ in found}),
        *_messages("Errors", preview.errors),
    ]
    if found:
        head += ["### Look at first", _list([f"- {_name(change)} {why}" for _, change, why in found])]
    tail = [*_messages("Warnings", preview.warnings)]
    if changes:
        tail += ["### The stack", block(render_graph(preview.changes), "mermaid")]
    worst = {change.urn: risk for risk, change, _ in reversed(found)}
    changes.sort(key=lambda change: worst.get(change.urn, max(Risk) + 1))
    room = MAX_BYTES - _size(head) - _size(tail)
    return "\n\n".join([*head, *_render_changes(room, changes), *tail]) + "\n"


def render_failure(message: str) -> str:
    """Render the report if there is no preview."""
    return "\n\n".join(["## Preview", "🔴 **There is no preview.**", _message(message)]) + "\n"


def _verdict(preview: Preview, changes: list[Change], risky: set[str]) -> str:
    if preview.errors:
        return "🔴 **The preview failed, so this report is incomplete.**"
    unchanged = f" {preview.unchanged} resources are unchanged." if preview.unchanged else ""
    if not changes and not risky:
        return f"🟢 **Nothing changes.**{unchanged}"
    counts = Counter(change.action for change in changes)
    summary = ", ".join(f"{counts[action]} to {action}" for action in SIGNS if counts[action])
    if not risky:
        return f"🟢 **{summary}; none of it is risky.**{unchanged}"
    return f"🟠 **{summary or 'No property changes'}; {len(risky)} to look at first.**{unchanged}"


def _name(change: Change) -> str:
    return f"{visible(change.kind)} {code(change.name)}"


def _messages(title: str, messages: list[str]) -> list[str]:
    shown = [_message(message) for message in messages[:MAX_MESSAGES]]
    more = [f"… and {len(messages) - MAX_MESSAGES} more"] if len(messages) > MAX_MESSAGES else []
    return [f"### {title}", *shown, *more] if messages else []


def _message(text: str) -> str:
    lines = "\n".join(map(visible, text.splitlines()))
    short = lines.encode()[:MAX_MESSAGE].decode(errors="ignore")
    return block(short if short == lines else f"{short}…", "text")


def _list(lines: list[str]) -> str:
    room = MAX_RISKS
    shown = [line for line in lines if (room := room - _size([line])) > 0]
    more = [f"- … and {len(lines) - len(shown)} more"] if len(lines) > len(shown) else []
    return "\n".join([*shown, *more])


def _render_changes(room: int, changes: list[Change]) -> Iterator[str]:
    """Render as many changes as there is room for."""
    if changes:
        yield "### Changes"
    for number, change in enumerate(changes):
        section = _section(change)
        room -= _size([section])
        if room < 0:
            yield f"… and {len(changes) - number} more changes: `pulumi preview --diff` shows them."
            return
        yield section


def _size(parts: list[str]) -> int:
    return sum(len(part.encode()) + 2 for part in parts)


def _section(change: Change) -> str:
    summary = f"{SIGNS[change.action]} {change.action} {html_code(f'{change.kind} {change.name}')}"
    lines = list(_lines(change))
    more = [f"# and {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    body = block("\n".join([*lines[:MAX_LINES], *more]), "diff") if lines else ""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _lines(change: Change) -> Iterator[str]:
    if change.deleted_outside:
        yield "# deleted outside Pulumi since the last run"
    if change.action in ("create", "delete"):
        sign, state = ("+", change.new) if change.action == "create" else ("-", change.old)
        for name, item in sorted((state.get("inputs") or {}).items()):
            if item is not None and not name.startswith("__"):
                yield f"{sign} {visible(name)}: {shorten(format_value(item))}"
    for each in change.properties:
        yield from _difference(each.path, each.old, each.new)
        if each.replaces:
            yield f"# {visible(each.path)} forces replacement"
        if each.drift is not ABSENT:
            yield f"# {visible(each.path)} was {shorten(format_value(each.drift))} before it drifted"


def _difference(path: str, old: object, new: object) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if old.get(key, ABSENT) != new.get(key, ABSENT):
                yield from _difference(f"{path}.{key}", old.get(key, ABSENT), new.get(key, ABSENT))
        return
    name = visible(path)
    before, after = format_pair(None if old is ABSENT else old, None if new is ABSENT else new)
    if old is not ABSENT and before == after:
        yield f"! {name}: {before} (changed)"
        return
    if old is not ABSENT:
        yield f"- {name}: {before}"
    if new is not ABSENT:
        yield f"+ {name}: {after}"


def to_plain_text(markdown: str) -> str:
    """Convert the report for a terminal: without the graph and the tags."""
    text = markdown.partition("\n### The stack\n")[0]
    lines = (
        html.unescape(re.sub("<.*?>", "", line)) if line.startswith("<details>") else line
        for line in text.splitlines()
        if line != "</details>" and not line.startswith("```")
    )
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()
