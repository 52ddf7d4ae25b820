"""What an entity is, the fields that most have, and checks across several fields."""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .. import checks
from ..checks import Check
from ..schema import Field, Json, Row, set_of, text

Error = str | tuple[str, Row]  # an error of the entity, perhaps with errors of single fields
Rule = Callable[[Row], Error | None]
Rules = tuple[tuple[tuple[str, ...], Rule], ...]  # each with the fields that it looks at
Fields = dict[str, Field]
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """One kind of row; `key` is the field that can replace the id in a path."""

    name: str
    fields: Fields
    key: str = ""
    path: str = ""
    is_listed: bool = True  # has a path of its own, not only below what it references
    unique: tuple[tuple[str, ...], ...] = ()
    rules: Rules = ()
    vary: Callable[[Row], Fields] = lambda _row: {}  # fields that differ by other values of the row
    expand: Callable[[Row], Row] = dict  # shorthand fields replaced by what they stand for
    present: Callable[[Row], Row] = dict  # as the Admin API returns it

    def fields_for(self, row: Row) -> Fields:
        return self.fields | self.vary(row)


ID = Field(auto=lambda: str(uuid.uuid4()), required=True, checks=(checks.uuid_text,))
NOW = Field(kind="integer", auto=lambda: int(time.time()), required=True)
NOW_MS = Field(kind="number", auto=lambda: round(time.time(), 3), required=True)
TAGS = set_of(text(checks.tag))
STAMPED: Fields = {"id": ID, "created_at": NOW, "updated_at": NOW, "tags": TAGS}
NAME = text(checks.name)


def conditional(field: str, values: Collection[Json], then: str, check: Check) -> tuple[tuple[str, ...], Rule]:
    """Return a rule that checks one field of rows in which another has one of these values."""

    def rule(row: Row) -> Error | None:
        if _get(row, field) not in values or (error := check(_get(row, then))) is None:
            return None
        for name in reversed(then.split(".")):
            error = {name: error}
        return f"failed conditional validation given value of field '{field}'", error

    return (field.partition(".")[0], then.partition(".")[0]), rule


def distinct(*names: str) -> tuple[tuple[str, ...], Rule]:
    """Return a rule that the values of these fields differ."""
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        values = [row[name] for name in names if row[name] is not None]
        return None if len(set(values)) == len(values) else f"values of these fields must be distinct: {listed}"

    return names, rule


def at_least_one(*names: str) -> tuple[tuple[str, ...], Rule]:
    """Return a rule that one of these fields has a value."""
    listed = ", ".join(f"'{name}'" for name in names)

    def rule(row: Row) -> str | None:
        if any(_get(row, name) not in (None, [], {}) for name in names):
            return None
        return f"at least one of these fields must be non-empty: {listed}"

    return tuple(name.split(".")[0] for name in names), rule


def on_record(rule: tuple[tuple[str, ...], Rule]) -> Check:
    """Turn a rule into a check of a record."""
    return lambda value: {"@entity": [error]} if (error := rule[1](value)) else None


def _get(row: Row, path: str) -> Json:
    """Return the value at `a.b.c`."""
    first, _, rest = path.partition(".")
    value = row.get(first)
    return _get(value or {}, rest) if rest else value
