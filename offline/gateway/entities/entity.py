"""What an entity is, and the fields that most of them have."""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .. import rules
from ..fields import Field, Json, Row, set_of, text
from ..rules import Check

Fault = str | tuple[str, Row]  # what is wrong with the whole, and perhaps with single fields
Rule = Callable[[Row], Fault | None]
Rules = tuple[tuple[tuple[str, ...], Rule], ...]
Fields = dict[str, Field]
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """One kind of row; `key` is the field that can stand for the id, `rules` look at several fields."""

    name: str
    fields: Fields
    key: str = ""
    path: str = ""
    listed: bool = True  # has a path of its own beside the ones under what it references
    unique: tuple[tuple[str, ...], ...] = ()
    rules: Rules = ()
    vary: Callable[[Row], Fields] = lambda _row: {}  # the fields that are others, by what else the row holds
    expand: Callable[[Row], Row] = dict
    present: Callable[[Row], Row] = dict

    def fields_for(self, row: Row) -> Fields:
        return self.fields | self.vary(row)


ID = Field(auto=lambda: str(uuid.uuid4()), required=True, checks=(rules.uuid_text,))
NOW = Field(kind="integer", auto=lambda: int(time.time()), required=True)
NOW_MS = Field(kind="number", auto=lambda: round(time.time(), 3), required=True)
TAGS = set_of(text(rules.tag))
STAMPED: Fields = {"id": ID, "created_at": NOW, "updated_at": NOW, "tags": TAGS}
NAME = text(rules.name)


def conditional(field: str, values: Collection[Json], then: str, check: Check) -> tuple[tuple[str, ...], Rule]:
    """A rule for one field, of rows in which another field has one of some values."""

    def rule(row: Row) -> Fault | None:
        if _at(row, field) not in values or (fault := check(_at(row, then))) is None:
            return None
        for name in reversed(then.split(".")):
            fault = {name: fault}
        return f"failed conditional validation given value of field '{field}'", fault

    return (field.partition(".")[0], then.partition(".")[0]), rule


def _at(row: Row, name: str) -> Json:
    """What a row holds at `a.b.c`."""
    first, _, rest = name.partition(".")
    value = row.get(first)
    return _at(value or {}, rest) if rest else value


def distinct(*names: str) -> tuple[tuple[str, ...], Rule]:
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        given = [row[name] for name in names if row[name] is not None]
        return None if len(set(given)) == len(given) else f"values of these fields must be distinct: {listed}"

    return names, rule


def at_least_one(*names: str) -> tuple[tuple[str, ...], Rule]:
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        if any(_at(row, name) not in (None, [], {}) for name in names):
            return None
        return f"at least one of these fields must be non-empty: {listed}"

    return tuple(name.split(".")[0] for name in names), rule


def whole(rule: tuple[tuple[str, ...], Rule]) -> Check:
    """A rule for several fields as the check of a record."""
    return lambda value: {"@entity": [fault]} if (fault := rule[1](value)) else None
