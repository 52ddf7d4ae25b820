"""The rows: unique keys, references, and the file that keeps them when the process ends."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import errors
from .checks import is_uuid
from .entities import ENTITIES
from .entities.entity import Entity
from .schema import Row, complete, find_errors, merge


class Store:
    """All rows by entity and id. `version` grows with every change, so readers know when to read again."""

    def __init__(self, file: Path | None = None) -> None:
        self.version = 0
        self._file, self._saved, self._saving = file, 0, asyncio.Lock()
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in ENTITIES}
        if file and file.exists():
            for name, rows in json.loads(file.read_text()).items():
                self._rows[name] = {row["id"]: row for row in rows}

    def list_rows(self, entity: str, **references: str) -> list[Row]:
        """Return rows by id; with `upstream=id` only those that reference this upstream."""
        rows = self._rows[entity].values()
        found = [
            row for row in rows if all((row[field] or {}).get("id") == key for field, key in references.items())
        ]
        return sorted(found, key=lambda row: row["id"])

    def get(self, entity: str, row_id: str) -> Row | None:
        return self._rows[entity].get(row_id)

    def find(self, entity: Entity, key: str, references: Mapping[str, str] | None = None) -> Row | None:
        """Return a row by its id or its key; a UUID is always taken for an id.

        `references` narrow the search where a key is not unique in the whole gateway, as with targets.
        """
        if is_uuid(key):
            return self._rows[entity.name].get(key.lower())
        for field in entity.fields.values():
            if field.names[0]:  # a certificate is also found by its server names
                child, reference = field.names
                named = next((row for row in self._rows[child].values() if row["name"] == key), None)
                return self._rows[entity.name].get(named[reference]["id"]) if named else None
        rows = self.list_rows(entity.name, **(references or {}))
        return next((row for row in rows if row.get(entity.key) == key), None)

    def render(self, entity: Entity, row: Row) -> Row:
        """Return a row as the Admin API shows it."""
        names = {
            name: [child["name"] for child in self.list_rows(field.names[0], **{field.names[1]: row["id"]})]
            for name, field in entity.fields.items()
            if field.names[0]
        }
        return entity.present(row | names)

    def insert(self, entity: Entity, body: Row) -> Row:
        row = self.validate(entity, body)
        if row["id"] in self._rows[entity.name]:
            raise errors.primary_key_violation(row["id"])
        return self._put(entity, row)

    def upsert(self, entity: Entity, body: Row) -> Row:
        return self._put(entity, self.validate(entity, body))

    def update(self, entity: Entity, old: Row, body: Row) -> Row:
        fields = entity.fields_for(old | body)
        before = old | {name: None for name, field in fields.items() if field.names[0]}
        patched = merge(fields, before, self._resolve_references(entity, entity.expand(body)))
        return self._put(entity, self.validate(entity, patched | {"id": old["id"]}))

    def delete(self, entity: Entity, row: Row) -> None:
        """Delete a row with all that cascades. Raises `AdminError` if something else references it."""
        dependents = list(self._list_dependents(entity, row))
        for child, _, cascade in dependents:
            if not cascade:
                raise errors.still_referenced(entity.name, child.name)
        for child, dependent, _ in dependents:
            self.delete(child, dependent)
        self._rows[entity.name].pop(row["id"], None)
        self.version += 1

    def validate(self, entity: Entity, body: Row) -> Row:
        """Return the completed body. Raises `AdminError` with every error in it."""
        body = self._resolve_references(entity, entity.expand(body))
        fields = entity.fields_for(body)
        row = complete(fields, body)
        if "updated_at" in fields:
            row["updated_at"] = fields["updated_at"].auto() if fields["updated_at"].auto else None
        wrong, of_entity, of_fields = find_errors(fields, row), [], Row()
        for names, rule in entity.rules:
            if not wrong.keys() & set(names) and (error := rule(row)):
                text, details = (error, {}) if isinstance(error, str) else error
                of_entity.append(text)
                of_fields |= details
        if of_entity:
            wrong |= of_fields | {"@entity": of_entity}
        if wrong:
            raise errors.schema_violation(wrong)
        return entity.expand(row)  # also of defaults

    async def save(self) -> None:
        """Return once all changes so far are on disk; concurrent calls share one write."""
        wanted = self.version
        async with self._saving:
            if self._file is None or self._saved >= wanted:
                return
            version = self.version
            text = json.dumps({name: list(rows.values()) for name, rows in self._rows.items()})
            await asyncio.to_thread(_replace_file, self._file, text)
            self._saved = version

    def _resolve_references(self, entity: Entity, body: Row) -> Row:
        """Replace names in foreign keys by ids (kong/db/dao/init.lua, resolve_foreign)."""
        body = dict(body)
        for name, field in entity.fields.items():
            given = body.get(name)
            if not field.reference or not isinstance(given, dict) or "id" in given:
                continue
            parent = ENTITIES[field.reference]
            if isinstance(key := given.get(parent.key), str):
                if (row := self.find(parent, key)) is None:
                    raise errors.unresolved_reference(name, parent.key, key, parent.name)
                body[name] = {"id": row["id"]}
        return body

    def _put(self, entity: Entity, row: Row) -> Row:
        self._check_references(entity, row)
        self._check_unique(entity, row)
        lists = {name: (field.names, row.pop(name)) for name, field in entity.fields.items() if field.names[0]}
        self._rows[entity.name][row["id"]] = row
        self.version += 1
        for (child, reference), names in lists.values():
            if names is not None:
                self._replace_names(row, ENTITIES[child], reference, names)
        return row

    def _check_references(self, entity: Entity, row: Row) -> None:
        for name, field in entity.fields.items():
            if field.reference and row[name]:
                row[name] = {"id": row[name]["id"]}
                if row[name]["id"] not in self._rows[field.reference]:
                    raise errors.unknown_reference(name, row[name]["id"], field.reference)

    def _check_unique(self, entity: Entity, row: Row) -> None:
        others = [other for other in self._rows[entity.name].values() if other["id"] != row["id"]]
        for names in entity.unique:
            values = {name: row[name] for name in names}
            if row[names[0]] is not None and any(
                values == {name: other[name] for name in names} for other in others
            ):
                raise errors.unique_violation(values)
        for name, field in entity.fields.items():
            for taken in self._rows[field.names[0]].values() if field.names[0] else ():
                owner = taken[field.names[1]]["id"]
                if taken["name"] in (row[name] or ()) and owner != row["id"]:
                    error = f"{taken['name']} already associated with existing certificate '{owner}'"
                    raise errors.schema_violation({name: error})

    def _replace_names(self, row: Row, child: Entity, reference: str, names: list[str]) -> None:
        """Insert and delete the rows that name this one until they are exactly `names`."""
        for old in self.list_rows(child.name, **{reference: row["id"]}):
            if old["name"] not in names:
                self.delete(child, old)
        kept = {old["name"] for old in self.list_rows(child.name, **{reference: row["id"]})}
        for name in names:
            if name not in kept:
                self.insert(child, {"name": name, reference: {"id": row["id"]}})

    def _list_dependents(self, entity: Entity, row: Row) -> Iterator[tuple[Entity, Row, bool]]:
        for child in ENTITIES.values():
            for name, field in child.fields.items():
                if field.reference == entity.name:
                    for dependent in self.list_rows(child.name, **{name: row["id"]}):
                        yield child, dependent, field.cascade


def _replace_file(file: Path, text: str) -> None:
    """Write a new file, sync it and rename it over the old one, so that a power failure leaves one of them."""
    new = file.with_name(file.name + ".new")
    with new.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
