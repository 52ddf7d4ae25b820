"""Recorded histories of one session, and whether they are linearizable.

Every write makes the next version, so versions are the order; what is left to check is that each version was
written once, that reads give what was written, and that no operation is placed before one that had ended when
it began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

END = 1 << 62  # the version after all others: the session is deleted


@dataclass(frozen=True)
class Event:
    """One operation on the session, as its client saw it."""

    kind: Literal["write", "read", "delete", "stale", "missing"]
    begin: float
    end: float
    version: int = END  # made by a write, seen by a read, named in vain by a stale change
    context: str = ""
    if_match: int | None = None


def faults(history: Sequence[Event]) -> list[str]:
    """What in a whole history can't have happened one after another; nothing when all can."""
    writes = {event.version: event for event in history if event.kind in {"write", "delete"}}
    changes = [event for event in history if event.kind in {"write", "delete"}]
    found = [f"a version made twice: {event}" for event in changes if writes[event.version] is not event]
    made = sorted(version for version in writes if version != END)
    found += [f"no version {before + 1}" for before, after in pairwise(made) if after != before + 1]
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
    return found + _out_of_time(history, writes)


def _out_of_time(history: Sequence[Event], writes: dict[int, Event]) -> list[str]:
    found = []
    ended = iter(sorted(history, key=lambda event: event.end))
    next_ended = next(ended, None)
    newest = 0  # the highest version that had surely been made when the event began
    for event in sorted(history, key=lambda event: event.begin):
        while next_ended is not None and next_ended.end < event.begin:
            if next_ended.kind != "stale":
                newest = max(newest, next_ended.version)
            next_ended = next(ended, None)
        match event.kind:
            case "read" if event.version < newest:
                found.append(f"stale read, {newest} was there: {event}")
            case "write" | "delete" if event.version <= newest:
                found.append(f"write into the past, {newest} was there: {event}")
            case "stale" if event.version == newest and not _may_be_made(newest + 1, writes, event):
                found.append(f"refused, though current: {event}")
            case "missing" if not _may_be_made(END, writes, event):
                found.append(f"missing before its end: {event}")
    return found


def _may_be_made(version: int, writes: dict[int, Event], event: Event) -> bool:
    return any(at in writes and writes[at].begin < event.end for at in (version, END))
