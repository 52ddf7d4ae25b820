"""Pulumi's verbs for Kong's entities, through the Admin API."""

import hashlib
import json
from typing import Any

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import REFERENCED, InvalidEntityError, Json, NameTakenError
from infra.kong.provider.ownership import (
    Owner,
    conflict_message,
    entity_id,
    mark_of,
    mark_tag,
    owner_of,
    owner_of_urn,
)
from infra.kong.schema.entity import Entity
from infra.kong.schema.healthchecks import HEALTHCHECKS, pick_known
from infra.plugin import PluginError, Resource
from infra.props import UNKNOWN, Failure, Props, is_known

_NAMED = 5  # entities in one message
_ANSWER = "answer"
"""An output: a digest of what Kong answered to the last write, where that differs from what it was given."""


class EntityResource(Resource):
    """An entity, made and replaced whole by `PUT` at an id of its own."""

    def __init__(self, kong: Kong, entity: Entity, *, delete_before_replace: bool = False) -> None:
        self._kong = kong
        self._entity = entity
        self.inputs = frozenset(entity.fields)
        self.replace_on_changes = frozenset(entity.identity)
        self.secrets = entity.secrets | {_ANSWER}
        self.delete_before_replace = delete_before_replace
        self._made: set[str] = set()  # by this process, which is of one run

    def check(self, urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        """Our rules first, then Kong's own where it can be asked."""
        filled, failures = self._entity.complete(inputs)
        if failures:
            return filled, failures
        if urn and is_known(filled["tags"]):
            tags, own = filled["tags"] or [], owner_of_urn(urn).tags
            if mark := self._kong.mark:
                own.append(mark if mark == UNKNOWN else mark_tag(mark))
            filled["tags"] = tags + [tag for tag in own if tag not in tags]
        schema = self._entity.schema
        if schema is None or not is_known(filled):
            return filled, []
        document = self._document(filled)
        if _has_dotted_key(document):
            return filled, []

        def validate(api: AdminApi) -> list[Failure]:
            api.require_fit()
            try:
                api.post("schemas", schema, "validate", body=document)
            except InvalidEntityError as error:
                return [Failure(field, reason) for field, reason in error.mistakes()]
            return []

        return filled, self._kong.try_call(validate) or []

    def _own_id(self, urn: str, inputs: Props) -> str | None:
        """The id that it is made at; None in a preview that can't know it yet."""
        identity = [inputs[name] for name in self._entity.identity]
        return entity_id(urn, *map(str, identity)) if is_known(identity) else None

    def keeps_id(self, urn: str, object_id: str, inputs: Props) -> bool:
        return object_id == self._own_id(urn, inputs)

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        own_id = self._own_id(urn, inputs)
        if own_id is None:
            return "", inputs
        if preview:
            return self._kong.try_call(lambda api: self._resolve_id(api, urn, own_id, inputs)) or own_id, inputs
        object_id = self._kong.call(lambda api: self._resolve_id(api, urn, own_id, inputs))
        outputs = self._put(object_id, inputs)
        self._made.add(object_id)
        return object_id, outputs

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live entity. On import `object_id` may also be Kong's name for it, PARENT/NAME below another."""
        parent, _, name = object_id.rpartition("/") if self._entity.below else ("", "", object_id)
        if self._entity.below and not (parent := parent or state.get(self._entity.below, "")):
            one = f"{self._entity.below.upper()}/{(self._entity.unique or 'id').upper()}"
            raise PluginError(f"to import one of the {self._entity.collection}, give {one}, not {object_id!r}")
        found = self._kong.call(lambda api: api.get(*self._collection(parent), self._name(name)))
        if found is None:
            return None
        if state and self._is_of_another_state(found, state):
            self._kong.warn(f"{self._as_taken(found)}: this state forgets it")
            return None
        if state.get(_ANSWER) == _digest(found):
            return found["id"], state, {name: state[name] for name in self._entity.fields}
        inputs = self._managed(found, state | ({self._entity.below: parent} if self._entity.below else {}))
        return found["id"], inputs, inputs

    def _name(self, given: str) -> str:
        """What Kong finds an entity by, of the id or name that is asked for."""
        return given

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        if preview:
            self._kong.try_call(lambda api: self._refuse_taken_name(api, object_id, state, inputs))
            return inputs
        self._kong.call(lambda api: self._require_ours(api, object_id, state, inputs))
        return self._put(object_id, inputs)

    def delete(self, object_id: str, state: Props) -> None:
        if object_id in self._made:
            return  # the old one of a replacement that was forced (`--replace`): the new one has its id
        path = self._path(state)

        def delete(api: AdminApi) -> None:
            found = api.get(*path, object_id)
            if found is not None and self._is_of_another_state(found, state):
                self._kong.warn(f"{self._as_taken(found)}: it is left as it is")
                return
            try:
                api.delete(*path, object_id)
            except InvalidEntityError as error:
                if error.code != REFERENCED:
                    raise
                raise PluginError(self._held(api, object_id, state, error)) from error

        self._kong.call(delete)

    def _held(self, api: AdminApi, object_id: str, state: Props, error: InvalidEntityError) -> str:
        holders = str(error.fields.get("@referenced_by", "routes"))
        found = [
            f"{one.get('name') or 'unnamed'} (id {one['id']})"
            for one in api.list(self._entity.collection, object_id, holders)
        ]
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        kind, them = (holders, "them") if len(found) > 1 else (holders.removesuffix("s"), "it")
        return (
            f"{state.get('name') or object_id} can't be removed: it is in use by {kind} "
            f"{', '.join(found[:_NAMED])}{more}. Remove {them}, or point {them} elsewhere, and run again."
        )

    def _collection(self, parent: str) -> tuple[str, ...]:
        below = self._entity.below
        if below is None:
            return (self._entity.collection,)
        return ((self._entity.references or {})[below], parent, self._entity.collection)

    def _path(self, inputs: Props) -> tuple[str, ...]:
        return self._collection(str(inputs[self._entity.below]) if self._entity.below else "")

    def _resolve_id(self, api: AdminApi, urn: str, own_id: str, inputs: Props) -> str:
        """The id to make it at: its own, or that of what is taken over. PluginError when that is not wished."""
        api.require_fit()
        found = api.get(*self._path(inputs), own_id)
        if found is not None and mark_of(found) == self._kong.mark:
            return own_id  # made by a run of this state that was cut short: the same create again
        if found is None and is_known(inputs):
            found = self._find_conflict(api, inputs)
        return own_id if found is None else self._take_over(found, inputs, owner_of_urn(urn))

    def _take_over(self, found: Json, inputs: Props, me: Owner | None) -> str:
        """The id of what is in the way. PluginError when it is not to be taken over."""
        if self._kong.adopt and owner_of(found) in (None, me):
            return str(found["id"])
        raise PluginError(conflict_message(self._describe(inputs, found), found, me, self._kong.mark))

    def _is_of_another_state(self, found: Json, state: Props) -> bool:
        """Whether another state has made or taken over what this one has as its own."""
        # A state has the mark of another where an import took that in, or where its own was made anew.
        return mark_of(found) not in (None, self._kong.mark, mark_of(state))

    def _as_taken(self, found: Json) -> str:
        kind = self._entity.collection.removesuffix("s")
        return f"Kong's {kind} {found['id']} has the mark of another state (tags {', '.join(found['tags'])})"

    def _require_ours(self, api: AdminApi, object_id: str, state: Props, inputs: Props) -> None:
        found = api.get(*self._path(inputs), object_id)
        if found is not None and self._is_of_another_state(found, state):
            self._take_over(found, inputs, owner_of(inputs))

    def _refuse_taken_name(self, api: AdminApi, object_id: str, state: Props, inputs: Props) -> None:
        self._require_ours(api, object_id, state, inputs)
        unique = self._entity.unique
        if unique is None or state.get(unique) == inputs[unique] or not is_known(inputs):
            return
        found = self._find_conflict(api, inputs)
        if found is not None and found["id"] != object_id:
            called = self._describe(inputs, found)
            raise PluginError(f"Kong already has {called} (id {found['id']}): choose another name")

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        """What has the place that is wanted: the same name, most often."""
        unique = self._entity.unique
        if unique is None or not inputs[unique]:
            return None
        return api.get(*self._path(inputs), inputs[unique])

    def _describe(self, inputs: Props, _found: Json) -> str:
        kind = self._entity.collection.removesuffix("s")
        name = inputs.get(self._entity.unique or "name")
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}{f' {name!r}' if name else ''}"

    def _put(self, object_id: str, inputs: Props) -> Props:
        path = self._path(inputs)

        def put(api: AdminApi) -> Json | None:
            try:
                return self._write(api, path, object_id, self._document(inputs))
            except NameTakenError as error:
                found = self._find_conflict(api, inputs) or {}
                more = f": id {found['id']}, tags {found.get('tags') or 'none'}" if found else ""
                raise PluginError(
                    f"{error}{more}. Remove or rename what has its place, then run again."
                ) from error

        try:
            made = self._kong.call(put)
        except PluginError as error:
            raise PluginError(self._without_secrets(str(error), inputs)) from None
        if made is None:
            raise PluginError(f"there is no {'/'.join(path[:2])} in Kong any more: run pulumi up --refresh")
        # Kong keeps some fields by another name or in another form, and that is no drift.
        is_as_given = not self.diff(self._managed(made, inputs), inputs)
        return inputs if is_as_given else inputs | {_ANSWER: _digest(made)}

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, document: Json) -> Json | None:
        return api.put(*path, object_id, body=document)

    def _without_secrets(self, text: str, inputs: Props) -> str:
        for name in self._entity.secrets:  # Kong repeats a key that is taken
            if inputs.get(name):
                text = text.replace(str(inputs[name]), "[secret]")
        return text

    def _document(self, inputs: Props) -> Json:
        """The whole entity as Kong wants it. Nulls are sent too: that is how a field is cleared."""
        references = self._entity.references or {}
        return {
            name: {"id": value} if name in references and value else value
            for name, value in inputs.items()
            if name not in self._entity.local
        }

    def _managed(self, found: Json, state: Props) -> Props:
        """The fields we manage of a live entity; what else Kong fills in is no drift."""
        return {name: self._live(name, found, state) for name in self._entity.fields}

    def _live(self, name: str, found: Json, state: Props) -> Any:  # noqa: ANN401 - JSON
        default = self._entity.fields[name][0]
        if name in self._entity.local:
            return state.get(name, default)
        value = found.get(name, default)
        if name == "healthchecks":
            return pick_known(HEALTHCHECKS, value)
        return value["id"] if value and name in (self._entity.references or {}) else value


def _digest(answer: Json) -> str:
    lasting = {name: value for name, value in answer.items() if name not in ("created_at", "updated_at")}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()


def _has_dotted_key(value: object) -> bool:
    """Whether a key has a dot: Kong's validation splits it there, and a PUT does not (kong/api/arguments.lua)."""
    if isinstance(value, dict):
        return any("." in key or _has_dotted_key(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_dotted_key, value))
