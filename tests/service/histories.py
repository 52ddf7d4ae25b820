"""Checks whether the recorded history of a session is linearizable.

Every write makes the next version, so versions are the order. What is left to check is that each version was
written once, that reads return what was written, and that no operation precedes one that had ended when it began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

END = 1 << 62  # the version after all others: the session is deleted


@dataclass(frozen=True)
class Event:
    """An operation on the session, as its client saw it."""

    kind: Literal["write", "read", "delete", "stale", "missing"]
    begin: float
    end: float
    version: int = END  # of a write or read; of a stale change the one that it named
    context: str = ""
    if_match: int | None = None


def find_faults(history: Sequence[Event]) -> list[str]:
    """Return what in a complete history contradicts every sequential order; nothing if it is linearizable."""
    writes = {event.version: event for event in history if event.kind in {"write", "delete"}}
    changes = [event for event in history if event.kind in {"write", "delete"}]
    found = [f"version written twice: {event}" for event in changes if writes[event.version] is not event]
    made = sorted(version for version in writes if version != END)
    found += [f"missing version {before + 1}" for before, after in pairwise(made) if after != before + 1]
    last = made[-1]
    for event in changes:
        replaced = event.version - 1 if event.kind == "write" else last
        if event.if_match not in {None, replaced}:
            found.append(f"lost update: {event} replaced {replaced}")
    for event in history:
        if event.kind == "read" and (
            event.version not in writes or writes[event.version].context != event.context
        ):
            found.append(f"never written: {event}")
    return found + _find_wrong_times(history, writes)


def _find_wrong_times(history: Sequence[Event], writes: dict[int, Event]) -> list[str]:
    found = []
    ended = iter(sorted(history, key=lambda event: event.end))
    next_ended = next(ended, None)
    newest = 0  # the highest version that was certainly written before the event began
    for event in sorted(history, key=lambda event: event.begin):
        while next_ended is not None and next_ended.end < event.begin:
            if next_ended.kind != "stale":
                newest = max(newest, next_ended.version)
            next_ended = next(ended, None)
        match event.kind:
            case "read" if event.version < newest:
                found.append(f"stale read, {newest} existed: {event}")
            case "write" | "delete" if event.version <= newest:
                found.append(f"write into the past, {newest} existed: {event}")
            case "stale" if event.version == newest and not _may_be_written(newest + 1, writes, event):
                found.append(f"refused although current: {event}")
            case "missing" if not _may_be_written(END, writes, event):
                found.append(f"missing before its deletion: {event}")
    return found


def _may_be_written(version: int, writes: dict[int, Event], event: Event) -> bool:
    return any(at in writes and writes[at].begin < event.end for at in (version, END))
