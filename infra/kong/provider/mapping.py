"""How the inputs of an entity map to Kong's Admin API."""

import hashlib
import json

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.errors import Json
from infra.kong.schema.entity import Entity
from infra.kong.schema.healthchecks import HEALTHCHECKS, pick_known
from infra.props import Props


class EntityMapping:
    """The paths, request bodies and live inputs of one kind of entity."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity

    @property
    def _kind(self) -> str:
        return self._entity.collection.removesuffix("s")

    def _collection(self, parent: str) -> tuple[str, ...]:
        if self._entity.parent is None:
            return (self._entity.collection,)
        return (self._entity.references[self._entity.parent], parent, self._entity.collection)

    def _path(self, inputs: Props) -> tuple[str, ...]:
        return self._collection(str(inputs[self._entity.parent]) if self._entity.parent else "")

    def _lookup_name(self, given: str) -> str:
        """Return what Kong finds an entity by, for the id or name of an import."""
        return given

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        """Find the entity that prevents a create with these inputs: most often one of the same name."""
        lookup = self._entity.lookup_field
        if lookup is None or not inputs[lookup]:
            return None
        return api.get(*self._path(inputs), inputs[lookup])

    def _describe(self, inputs: Props, _found: Json) -> str:
        """Describe the entity that `_find_conflict` found."""
        name = inputs.get(self._entity.lookup_field or "name")
        return f"{'an' if self._kind[0] in 'aeiou' else 'a'} {self._kind}{f' {name!r}' if name else ''}"

    def _request_body(self, inputs: Props) -> Json:
        """Return the whole entity as Kong expects it. Nulls are sent too, which clears a field."""
        return {
            name: {"id": value} if name in self._entity.references and value else value
            for name, value in inputs.items()
            if name not in self._entity.local_fields
        }

    def _live_inputs(self, found: Json, state: Props) -> Props:
        """Return the managed fields of a live entity. What else Kong fills in does not count as drift."""
        return {name: self._live_value(name, found, state) for name in self._entity.fields}

    def _live_value(self, name: str, found: Json, state: Props) -> object:
        default = self._entity.fields[name][0]
        if name in self._entity.local_fields:
            return state.get(name, default)
        value = found.get(name, default)
        if name == "healthchecks":
            return pick_known(HEALTHCHECKS, value)
        return value["id"] if value and name in self._entity.references else value


def digest(entity: Json) -> str:
    """Return a digest of an entity without its timestamps."""
    stable = {name: value for name, value in entity.items() if name not in ("created_at", "updated_at")}
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()


def has_dotted_key(value: object) -> bool:
    """Return whether a key has a dot: Kong's validation splits it there, unlike a PUT (kong/api/arguments.lua)."""
    if isinstance(value, dict):
        return any("." in key or has_dotted_key(item) for key, item in value.items())
    return isinstance(value, list) and any(map(has_dotted_key, value))
