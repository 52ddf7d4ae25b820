"""The rows themselves: what is unique, what references what, and the file they outlive the process in."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import errors
from .entities.entity import Entity
from .fields import Row, complete, faults, merge
from .rules import is_uuid
from .schemas import ENTITIES


class Store:
    """All rows by entity and id; `version` grows with every change, so readers know when to look again."""

    def __init__(self, file: Path | None = None) -> None:
        self.version = 0
        self._file, self._kept, self._keeping = file, 0, asyncio.Lock()
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in ENTITIES}
        if file and file.exists():
            for name, rows in json.loads(file.read_text()).items():
                self._rows[name] = {row["id"]: row for row in rows}

    # reading

    def rows(self, entity: str, **of: str) -> list[Row]:
        """Rows in the order of their ids, of those referenced by name: `rows("targets", upstream=id)`."""
        found = self._rows[entity].values()
        wanted = [row for row in found if all((row[field] or {}).get("id") == key for field, key in of.items())]
        return sorted(wanted, key=lambda row: row["id"])

    def get(self, entity: str, row_id: str) -> Row | None:
        return self._rows[entity].get(row_id)

    def find(self, entity: Entity, key: str, of: Mapping[str, str] | None = None) -> Row | None:
        """A row by id or by the field that stands for it; what looks like a UUID is always an id.

        Where that field is no name for the whole gateway, as with targets, it is looked for below a parent.
        """
        if is_uuid(key):
            return self._rows[entity.name].get(key.lower())
        for field in entity.fields.values():
            if field.names[0]:  # a certificate answers to its server names
                child, reference = field.names
                named = next((row for row in self._rows[child].values() if row["name"] == key), None)
                return self._rows[entity.name].get(named[reference]["id"]) if named else None
        return next((row for row in self.rows(entity.name, **(of or {})) if row.get(entity.key) == key), None)

    def shown(self, entity: Entity, row: Row) -> Row:
        """A row as the Admin API shows it."""
        listed = {
            name: [child["name"] for child in self.rows(field.names[0], **{field.names[1]: row["id"]})]
            for name, field in entity.fields.items()
            if field.names[0]
        }
        return entity.present(row | listed)

    # writing

    def insert(self, entity: Entity, body: Row) -> Row:
        row = self.checked(entity, body)
        if row["id"] in self._rows[entity.name]:
            raise errors.primary_key_violation(row["id"])
        return self._put(entity, row)

    def upsert(self, entity: Entity, body: Row) -> Row:
        return self._put(entity, self.checked(entity, body))

    def update(self, entity: Entity, old: Row, body: Row) -> Row:
        fields = entity.fields_for(old | body)
        shown = old | {name: None for name, field in fields.items() if field.names[0]}
        patched = merge(fields, shown, self._resolved(entity, entity.expand(body)))
        return self._put(entity, self.checked(entity, patched | {"id": old["id"]}))

    def delete(self, entity: Entity, row: Row) -> None:
        """Removes a row and all that cascades, unless something else still references it."""
        doomed = list(self._referencing(entity, row))
        for child, _, cascade in doomed:
            if not cascade:
                raise errors.still_referenced(entity.name, child.name)
        for child, dependent, _ in doomed:
            self.delete(child, dependent)
        self._rows[entity.name].pop(row["id"], None)
        self.version += 1

    def checked(self, entity: Entity, body: Row) -> Row:
        """The completed body, or Kong's list of all that is wrong with it."""
        body = self._resolved(entity, entity.expand(body))
        fields = entity.fields_for(body)
        row = complete(fields, body)
        if "updated_at" in fields:
            row["updated_at"] = fields["updated_at"].auto() if fields["updated_at"].auto else None
        wrong, whole, beside = faults(fields, row), [], Row()
        for looked_at, rule in entity.rules:
            if not wrong.keys() & set(looked_at) and (fault := rule(row)):
                said, of_fields = (fault, {}) if isinstance(fault, str) else fault
                whole.append(said)
                beside |= of_fields
        if whole:
            wrong |= beside | {"@entity": whole}
        if wrong:
            raise errors.schema_violation(wrong)
        return entity.expand(row)  # what was filled in, too

    def _resolved(self, entity: Entity, body: Row) -> Row:
        """Foreign keys given by name turned into ids (kong/db/dao/init.lua, resolve_foreign)."""
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
        for name, field in entity.fields.items():
            if field.reference and row[name]:
                row[name] = {"id": row[name]["id"]}
                if row[name]["id"] not in self._rows[field.reference]:
                    raise errors.unknown_reference(name, row[name]["id"], field.reference)
        for unique in entity.unique:
            values = {name: row[name] for name in unique}
            for other in self._rows[entity.name].values():
                if (
                    row[unique[0]] is not None
                    and other["id"] != row["id"]
                    and values == {n: other[n] for n in unique}
                ):
                    raise errors.unique_violation(values)
        for name, field in entity.fields.items():
            for taken in self._rows[field.names[0]].values() if field.names[0] else ():
                if taken["name"] in (row[name] or ()) and taken[field.names[1]]["id"] != row["id"]:
                    owner = taken[field.names[1]]["id"]
                    fault = f"{taken['name']} already associated with existing certificate '{owner}'"
                    raise errors.schema_violation({name: fault})
        named = {name: (field.names, row.pop(name)) for name, field in entity.fields.items() if field.names[0]}
        self._rows[entity.name][row["id"]] = row
        self.version += 1
        for (child, reference), names in named.values():
            if names is not None:
                self._name(row, ENTITIES[child], reference, names)
        return row

    def _name(self, row: Row, child: Entity, reference: str, names: list[str]) -> None:
        """Makes the rows that name this one exactly `names`."""
        for old in self.rows(child.name, **{reference: row["id"]}):
            if old["name"] not in names:
                self.delete(child, old)
        kept = {old["name"] for old in self.rows(child.name, **{reference: row["id"]})}
        for name in names:
            if name not in kept:
                self.insert(child, {"name": name, reference: {"id": row["id"]}})

    def _referencing(self, entity: Entity, row: Row) -> Iterator[tuple[Entity, Row, bool]]:
        for child in ENTITIES.values():
            for name, field in child.fields.items():
                if field.reference == entity.name:
                    for dependent in self.rows(child.name, **{name: row["id"]}):
                        yield child, dependent, field.cascade

    # keeping

    async def keep(self) -> None:
        """Returns once all changes so far are on the disk; writers that wait together share one write."""
        wanted = self.version
        async with self._keeping:
            if self._file is None or self._kept >= wanted:
                return
            version = self.version
            text = json.dumps({name: list(rows.values()) for name, rows in self._rows.items()})
            await asyncio.to_thread(_write, self._file, text)
            self._kept = version


def _write(file: Path, text: str) -> None:
    """All or nothing, also when the power fails: a new file, synced, then renamed over the old one."""
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
