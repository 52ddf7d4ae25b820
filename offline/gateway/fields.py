"""What one field may hold: its type, default and rules, and what Kong says of a value that breaks them."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .rules import Check, between, is_uuid

Json = Any  # any JSON value: held to a schema at run time, not by types
Row = dict[str, Json]

# Kong's wording for each type (kong/db/schema/init.lua); numbers that are whole count as integers, as in Lua.
_TYPES: dict[str, tuple[str, Check | Callable[[Any], bool]]] = {
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("a boolean", lambda value: isinstance(value, bool)),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "integer": (
        "an integer",
        lambda value: (
            (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, float) and value.is_integer())
        ),
    ),
    # An empty Lua table is both a list and a map, so JSON's {} passes for an empty list.
    "array": ("an array", lambda value: isinstance(value, list) or value == {}),
    "set": ("a set", lambda value: isinstance(value, list) or value == {}),
    "map": ("a map", lambda value: isinstance(value, dict) or value == []),
    "record": ("a record", lambda value: isinstance(value, dict) or value == []),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field; `auto` makes a value nobody sent, `reference` names the entity a foreign key points to."""

    kind: str = "string"
    required: bool = False
    empty: bool = False  # whether a text may be
    default: Any = None
    auto: Callable[[], Any] | None = None
    checks: tuple[Check, ...] = ()
    elements: "Field | None" = None
    keys: tuple[Check, ...] = ()
    fields: Mapping[str, "Field"] | None = None
    reference: str = ""
    cascade: bool = False  # the row goes when what it references goes; otherwise it holds that back
    names: tuple[str, str] = ("", "")  # (entity, foreign key): the values are the names of rows pointing here

    def fault(self, value: Json) -> Json:
        """Kong's complaint about a value: a text, a list or map of texts for what nests, or None."""
        if value is None:
            return "required field missing" if self.required else None
        if self.kind == "foreign":
            if not isinstance(value, dict) or value.get("id") is None:
                return {"id": "missing primary key"}
            return _first(self.checks, value) if is_uuid(str(value["id"])) else {"id": "expected a valid UUID"}
        expected, is_right = _TYPES[self.kind]
        if not is_right(value):
            return f"expected {expected}"
        if self.fields is not None:
            return faults(self.fields, value or {}) or _first(self.checks, value or {})
        if self.elements is not None and isinstance(value, list):
            found = [self.elements.fault(item) if item is not None else "required field missing" for item in value]
            while found and found[-1] is None:
                found.pop()
            if found:
                return found
        if self.elements is not None and isinstance(value, dict):
            broken = {key: _first(self.keys, key) or self.elements.fault(item) for key, item in value.items()}
            if any(broken.values()):
                return {key: fault for key, fault in broken.items() if fault}
        if value == "" and not self.empty:
            return "length must be at least 1"
        return _first(self.checks, value)

    def complete(self, value: Json) -> Json:
        """The value as Kong keeps it: records filled with their defaults, sets without duplicates."""
        if self.fields is not None and (isinstance(value, dict) or value == []):
            return complete(self.fields, value or {})
        if self.kind in ("set", "array") and value == {}:
            return []
        if self.kind == "set" and isinstance(value, list):
            whole = [self.elements.complete(item) if self.elements else item for item in value]
            return [item for place, item in enumerate(whole) if item not in whole[:place]]
        if self.kind == "integer" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def converted(self, value: Json) -> Json:
        """A form's text turned into the field's type where it can be (kong/api/arguments.lua)."""
        if value == "":
            return None
        if self.kind in ("array", "set") and self.elements is not None:
            return [self.elements.converted(item) for item in (value if isinstance(value, list) else [value])]
        if isinstance(value, dict):
            inner = self.fields or {}
            return {key: inner.get(key, self.elements or Field()).converted(item) for key, item in value.items()}
        if self.kind == "boolean":
            return {"true": True, "false": False}.get(value, value)
        if self.kind in ("integer", "number"):
            try:
                return float(value) if "." in value else int(value)
            except ValueError:
                return value
        return value


def _first(checks: tuple[Check, ...], value: Json) -> Json:
    return next((fault for check in checks if (fault := check(value))), None)


def faults(fields: Mapping[str, Field], body: Row) -> Row:
    """Everything wrong with a completed body, by field."""
    found = {name: "unknown field" for name in body if name not in fields}
    for name, field in fields.items():
        if fault := field.fault(body.get(name)):
            found[name] = fault
    return found


def complete(fields: Mapping[str, Field], body: Row) -> Row:
    """The body with every field present: as sent, made, defaulted, or null."""
    whole = dict(body)
    for name, field in fields.items():
        if name in body:
            whole[name] = field.complete(body[name])
        elif field.auto:
            whole[name] = field.auto()
        elif field.fields is not None and field.required:
            whole[name] = complete(field.fields, {})
        else:
            whole[name] = copy.deepcopy(field.default)
    return whole


def merge(fields: Mapping[str, Field], old: Row, new: Row) -> Row:
    """A PATCH: records merge deeply, everything else is replaced (kong/db/schema/init.lua, merge_values)."""
    merged = {**old, **new}
    for name, value in new.items():
        field, before = fields.get(name), old.get(name)
        if field and field.fields is not None and isinstance(value, dict) and isinstance(before, dict):
            merged[name] = merge(field.fields, before, value)
    return merged


def convert(fields: Mapping[str, Field], body: Row) -> Row:
    """A form's body with each value converted by its field."""
    return {name: fields.get(name, Field()).converted(value) for name, value in body.items()}


def text(*checks: Check, required: bool = False, default: str | None = None) -> Field:
    return Field(checks=checks, required=required, default=default)


def integer(low: int, high: int, default: int | None = None, *, required: bool = False) -> Field:
    return Field(kind="integer", checks=(between(low, high),), default=default, required=required)


def flag(*, default: bool) -> Field:
    return Field(kind="boolean", default=default, required=True)


def list_of(element: Field, default: list[object] | None = None) -> Field:
    return Field(kind="array", elements=element, default=default)


def set_of(element: Field) -> Field:
    return Field(kind="set", elements=element)


def record(*checks: Check, **fields: Field) -> Field:
    return Field(kind="record", fields=fields, required=True, checks=checks)


def foreign(reference: str, *, cascade: bool = False, required: bool = False) -> Field:
    return Field(kind="foreign", reference=reference, cascade=cascade, required=required)
