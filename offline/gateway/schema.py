"""Schemas of fields: types, defaults and checks, with Kong's wording for invalid values."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .checks import Check, between, is_uuid

Json = Any  # any JSON value: checked against a schema at run time, not by types
Row = dict[str, Json]

# Kong's wording for each type (kong/db/schema/init.lua). As in Lua, whole numbers count as integers.
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("a boolean", lambda value: isinstance(value, bool)),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "integer": ("an integer", lambda value: not isinstance(value, bool) and _is_whole(value)),
    # An empty Lua table is both a list and a map, so JSON's {} passes for an empty list.
    "array": ("an array", lambda value: isinstance(value, list) or value == {}),
    "set": ("a set", lambda value: isinstance(value, list) or value == {}),
    "map": ("a map", lambda value: isinstance(value, dict) or value == []),
    "record": ("a record", lambda value: isinstance(value, dict) or value == []),
}


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field. `auto` generates a missing value; `reference` names the entity of a foreign key."""

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
    cascade: bool = False  # delete the row with what it references; otherwise it prevents that delete
    names: tuple[str, str] = (
        "",
        "",
    )  # (entity, foreign key): the values are names of rows that reference this one

    def find_error(self, value: Json) -> Json:
        """Return Kong's error for a value: a text, a list or map of texts for nested values, or None."""
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
            return find_errors(self.fields, value or {}) or _first(self.checks, value or {})
        if self.elements is not None and (errors := self._find_element_errors(self.elements, value)):
            return errors
        if value == "" and not self.empty:
            return "length must be at least 1"
        return _first(self.checks, value)

    def _find_element_errors(self, elements: "Field", value: Json) -> Json:
        if isinstance(value, dict):
            errors = {key: _first(self.keys, key) or elements.find_error(item) for key, item in value.items()}
            return {key: error for key, error in errors.items() if error}
        listed = ["required field missing" if item is None else elements.find_error(item) for item in value]
        while listed and listed[-1] is None:
            listed.pop()
        return listed

    def complete(self, value: Json) -> Json:
        """Return the value as Kong stores it: records with their defaults, sets without duplicates."""
        if self.fields is not None and (isinstance(value, dict) or value == []):
            return complete(self.fields, value or {})
        if self.kind in ("set", "array") and value == {}:
            return []
        if self.kind == "set" and isinstance(value, list):
            items = [self.elements.complete(item) if self.elements else item for item in value]
            return [item for index, item in enumerate(items) if item not in items[:index]]
        if self.kind == "integer" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def convert(self, value: Json) -> Json:
        """Convert a form's text to the field's type, if possible (kong/api/arguments.lua)."""
        if value == "":
            return None
        if self.kind in ("array", "set") and self.elements is not None:
            return [self.elements.convert(item) for item in (value if isinstance(value, list) else [value])]
        if isinstance(value, dict):
            inner = self.fields or {}
            return {key: inner.get(key, self.elements or Field()).convert(item) for key, item in value.items()}
        if self.kind == "boolean":
            return {"true": True, "false": False}.get(value, value)
        if self.kind in ("integer", "number"):
            try:
                return float(value) if "." in value else int(value)
            except ValueError:
                return value
        return value


def _first(checks: tuple[Check, ...], value: Json) -> Json:
    return next((error for check in checks if (error := check(value))), None)


def find_errors(fields: Mapping[str, Field], body: Row) -> Row:
    """Return every error of a completed body, by field."""
    errors = {name: "unknown field" for name in body if name not in fields}
    return errors | {name: error for name, field in fields.items() if (error := field.find_error(body.get(name)))}


def complete(fields: Mapping[str, Field], body: Row) -> Row:
    """Return the body with every field: as sent, generated, default or null."""
    completed = dict(body)
    for name, field in fields.items():
        if name in body:
            completed[name] = field.complete(body[name])
        elif field.auto:
            completed[name] = field.auto()
        elif field.fields is not None and field.required:
            completed[name] = complete(field.fields, {})
        else:
            completed[name] = copy.deepcopy(field.default)
    return completed


def merge(fields: Mapping[str, Field], old: Row, new: Row) -> Row:
    """Apply a PATCH: merge records deeply, replace all else (kong/db/schema/init.lua, merge_values)."""
    merged = {**old, **new}
    for name, value in new.items():
        field, before = fields.get(name), old.get(name)
        if field and field.fields is not None and isinstance(value, dict) and isinstance(before, dict):
            merged[name] = merge(field.fields, before, value)
    return merged


def convert(fields: Mapping[str, Field], body: Row) -> Row:
    """Convert each value of a form's body by its field."""
    return {name: fields.get(name, Field()).convert(value) for name, value in body.items()}


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
