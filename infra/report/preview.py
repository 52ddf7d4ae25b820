"""Parses the output of `pulumi preview --json` into one change for each resource.

Its format is the engine's `display.PreviewDigest`. A resource may have several steps: those of a refresh, those of
a replacement, and last the one that an `up` would take.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

STACK = "pulumi:pulumi:Stack"
SECRET = "[secret]"  # noqa: S105 - shown instead of one
UNKNOWN = "[known after up]"
ABSENT = object()
SIGNATURE = "4dabf18193072939515e22adb298388d"  # the key of special values in the engine's JSON
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - and its value for a secret
UNKNOWNS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # of a string, and so on for each type
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
ACTIONS = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
    "remove-pending-replace": "replace",
    "import": "import",
    "import-replacement": "replace",
    "read": "read",
    "read-replacement": "read",
    "discard": "forget",
}
"""What the engine's steps mean to a reviewer. Any other leaves the resource unchanged."""
State = Mapping[str, Any]
"""A resource as the engine stores it: `inputs`, `protect`, `parent` and so on."""

PATH = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\[?"((?:[^"\\]|\\.)*)"\]?')


class NoPreviewError(Exception):
    """The input is not a preview; the message is the input."""


@dataclass(frozen=True)
class Property:
    """One property that changes, with its values; `ABSENT` is none."""

    path: str
    old: object
    new: object
    replaces: bool = False
    drift: object = ABSENT
    """Its value after the last run, if it has drifted."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an `up` would do with one resource."""

    urn: str
    action: str
    old: State
    new: State
    properties: list[Property] = field(default_factory=list)
    deleted_outside: bool = False
    """Whether it was deleted outside Pulumi since the last run."""

    @property
    def type(self) -> str:
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        return self.urn.split("::", 3)[3]

    @property
    def kind(self) -> str:
        """The type without package and module."""
        return "Provider" if self.type.startswith("pulumi:providers:") else self.type.rpartition(":")[2]

    @property
    def is_component(self) -> bool:
        """Whether it only groups other resources."""
        return not (self.new or self.old).get("custom")

    def before(self, name: str) -> Any:  # noqa: ANN401 - JSON
        return (self.old.get("inputs") or {}).get(name)

    def after(self, name: str) -> Any:  # noqa: ANN401 - JSON
        return (self.new.get("inputs") or {}).get(name)

    def changes(self, name: str) -> bool:
        """Return whether an input, or part of it, changes."""
        return any(re.split(r"[.\[]", each.path, maxsplit=1)[0] == name for each in self.properties)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A whole preview, in the order of the engine's steps."""

    stack: str
    changes: list[Change]
    unchanged: int
    errors: list[str]
    warnings: list[str]


def parse(text: str) -> Preview:
    """Parse the engine's output. Raises `NoPreviewError`."""
    try:
        digest = json.loads(text)
        steps = digest.get("steps") or []
    except (ValueError, AttributeError) as error:
        raise NoPreviewError(text.strip() or "pulumi printed nothing to standard output") from error
    by_urn: dict[str, list[State]] = {}
    for step in steps:
        by_urn.setdefault(step["urn"], []).append(step)
    changes = [_change(urn, steps) for urn, steps in by_urn.items()]
    stacks = [change for change in changes if change.type == STACK]
    same = (digest.get("changeSummary") or {}).get("same", 0) - sum(each.action == "same" for each in stacks)
    diagnostics = digest.get("diagnostics") or []
    return Preview(
        stack=steps[0]["urn"].split("::")[0].removeprefix("urn:pulumi:") if steps else "",
        changes=[change for change in changes if change.type != STACK],
        unchanged=max(same, 0),
        errors=_messages(diagnostics, "error"),
        warnings=[line for line in _messages(diagnostics, "warning") if "from $PATH at" not in line],
    )


def _messages(diagnostics: list[State], severity: str) -> list[str]:
    messages = [
        str(each.get("message", "")).strip().removeprefix(f"{severity}: ")
        for each in diagnostics
        if each.get("severity") == severity
    ]
    return list(dict.fromkeys(filter(None, messages)))


def _change(urn: str, steps: list[State]) -> Change:
    taken = [step for step in steps if step["op"] in ACTIONS]
    # The steps of a replacement come in any order, and `replace` is the one with the reasons.
    last = next((step for step in taken if step["op"] == "replace"), (taken or steps)[-1])
    first = steps[0]
    refreshed = first is not last and first["op"] in ("refresh", "update", "delete")
    old, new = last.get("oldState") or {}, last.get("newState") or {}
    recorded = (first.get("oldState") or {}).get("inputs") or {} if refreshed else None
    action = ACTIONS.get(last["op"], "same")
    return Change(
        urn=urn,
        action=action,
        old=old,
        new=new,
        properties=list(_properties(last, old, new, recorded))
        if action in ("update", "replace", "import")
        else [],
        deleted_outside=refreshed and action == "create",
    )


def _properties(step: State, old: State, new: State, recorded: State | None) -> Iterator[Property]:
    detailed = step.get("detailedDiff") or {}
    reasons = [*(step.get("diffReasons") or []), *(step.get("replaceReasons") or [])]
    paths = sorted(detailed) or sorted(set(reasons))
    for path in paths:
        kind = (detailed.get(path) or {}).get("kind", "")
        before = ABSENT if kind.startswith("add") else _get(old, path)
        after = ABSENT if kind.startswith("delete") else _get(new, path)
        was = ABSENT if recorded is None else _get_path(recorded, path)
        yield Property(
            path,
            before,
            after,
            replaces=kind.endswith("replace") or (not kind and path in (step.get("replaceReasons") or [])),
            drift=was if recorded is not None and was != _get_path(old.get("inputs") or {}, path) else ABSENT,
        )


def _get(state: State, path: str) -> object:
    """Return a value of a state: from the inputs, or else from the outputs."""
    value = _get_path(state.get("inputs") or {}, path)
    return value if value is not ABSENT else _get_path(state.get("outputs") or {}, path)


def _get_path(value: object, path: str) -> object:
    for name, index, quoted in PATH.findall(path):
        key = name or re.sub(r"\\(.)", r"\1", quoted)
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif not index and isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return SECRET if value == SECRET else ABSENT
    return value


def mask(value: object) -> object:
    """Replace secret and unknown values by their names."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET
        return {key: mask(item) for key, item in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWNS else value
