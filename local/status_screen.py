"""The screen of `make status`: one row or more for each part of the stack."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from local.console import paint
from local.probes import Facts

WIDTH = 13
CHANGED = {
    "create": "created",
    "delete": "deleted",
    "replace": "replaced",
    "same": "unchanged",
    "update": "updated",
}
"""Pulumi's names of what it did with resources, as in its own summary."""


def render(found: Facts) -> list[str]:
    """Return the lines of the screen."""
    state = paint("all well", "green") if found["ok"] else paint("needs attention", "red")
    lines = [f"Stack {found['stack']}: {state}", ""]
    for name, (title, rows) in ROWS.items():
        facts = found[name]
        texts = [paint(facts["error"], "red")] if "error" in facts else list(rows(facts))
        lines += [f"{title if first else '':{WIDTH}} {text}" for first, text in _mark_first(texts)]
    return lines


def _mark_first(texts: list[str]) -> Iterator[tuple[bool, str]]:
    return ((number == 0, text) for number, text in enumerate(texts))


def _word(good: str, bad: str = "", *, ok: bool) -> str:
    return paint(good, "green") if ok else paint(bad or good, "red")


def _api(facts: Facts) -> Iterator[str]:
    word = _word("ready", "not ready", ok=facts["ok"])
    answer = f"{facts['status']} in {facts['milliseconds']} ms"
    yield f"{word}: {answer} at {facts['url']} for host {facts['hostname']}"


def _replicas(facts: Facts) -> Iterator[str]:
    containers = facts["containers"]
    healthy = sum(container["health"] == "healthy" for container in containers)
    yield _word(f"{healthy} of {len(containers) + len(facts['missing'])} healthy", ok=facts["ok"])
    for container in containers:
        restarts = f", {container['restarts']} restarts" if container["restarts"] else ""
        version = container["version"] + ("" if container["deployed"] else ", not the deployed version")
        health = _word(f"{container['health']:9}", ok=container["ok"])
        yield f"{container['name']}  {health}  {version}, up {_age(container['startedAt'])}{restarts}"
    for name in facts["missing"]:
        yield f"{name}  {paint('missing', 'red')}"


def _gateway(facts: Facts) -> Iterator[str]:
    kind = "a stand-in for Kong" if facts["standIn"] else "Kong"
    targets = facts["targets"]
    yield f"{kind} {facts['version']}, Admin API at {facts['adminUrl']}" + ("" if targets else ", no targets")
    for target in targets:
        yield f"{target['target']}  {_word(target['health'], ok=target['health'].startswith('HEALTH'))}"


def _record(facts: Facts) -> Iterator[str]:
    if facts["targets"] is None:
        yield f"{facts['name']}: not managed (dns is none)"
        return
    targets, declared = (", ".join(facts[name]) or "nothing" for name in ("targets", "declared"))
    word = _word("as declared", f"differs: {declared} is declared", ok=facts["ok"])
    yield f"{facts['name']} points to {targets}, {word}"


def _certificate(facts: Facts) -> Iterator[str]:
    days = _word(f"{facts['days']} days left", ok=facts["ok"])
    yield f"{days}, {facts['source']}"


def _update(facts: Facts) -> Iterator[str]:
    changes = [f"{count} {CHANGED.get(name, name)}" for name, count in (facts["resourceChanges"] or {}).items()]
    word = _word(str(facts["result"]), ok=facts["result"] == "succeeded")
    yield f"{word} {_age(facts['endTime'])} ago: {', '.join(changes)}"


def _sequencer(facts: Facts) -> Iterator[str]:
    for name, state in facts["states"].items():
        yield f"{name}  {paint(state, 'red' if state in ('unavailable', 'unknown') else 'green')}"


def _sessions(facts: Facts) -> Iterator[str]:
    yield "in the database at databaseUrl" if facts["count"] is None else str(facts["count"])


ROWS: dict[str, tuple[str, Callable[[Facts], Iterator[str]]]] = {
    "api": ("API", _api),
    "replicas": ("Replicas", _replicas),
    "gateway": ("Gateway", _gateway),
    "record": ("Record", _record),
    "certificate": ("Certificate", _certificate),
    "image": ("Image", lambda facts: iter([facts["name"]])),
    "lastUpdate": ("Last update", _update),
    "sequencer": ("Sequencer", _sequencer),
    "sessions": ("Sessions", _sessions),
}


def _age(text: str) -> str:
    """Return how long ago a time of Docker or Pulumi is."""
    moment = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
