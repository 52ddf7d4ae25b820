"""Create, read, update and delete of Kong's entities."""

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import REFERENCED, InvalidEntityError, Json, NameTakenError
from infra.kong.provider.mapping import EntityMapping, digest, has_dotted_key
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
from infra.plugin import PluginError, Resource
from infra.props import UNKNOWN, Failure, Props, is_known

_MAX_NAMED = 5  # entities in one message
_ANSWER = "answer"
"""An output: a digest of Kong's answer to the last write, if that differs from the inputs."""


class EntityResource(EntityMapping, Resource):
    """An entity that is created and replaced as a whole by `PUT`, at an id derived from its URN."""

    def __init__(self, kong: Kong, entity: Entity, *, delete_before_replace: bool = False) -> None:
        super().__init__(entity)
        self._kong = kong
        self.inputs = frozenset(entity.fields)
        self.replace_on_changes = frozenset(entity.identity)
        self.secrets = entity.secrets | {_ANSWER}
        self.delete_before_replace = delete_before_replace
        self._created: set[str] = set()  # the ids, by this process, which serves one run

    def check(self, urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        """Apply our rules, then Kong's own if it can be reached."""
        filled, failures = self._entity.fill_defaults(inputs)
        if failures:
            return filled, failures
        if urn and is_known(filled["tags"]):
            tags, own = filled["tags"] or [], owner_of_urn(urn).tags
            if mark := self._kong.mark:
                own.append(mark if mark == UNKNOWN else mark_tag(mark))
            filled["tags"] = tags + [tag for tag in own if tag not in tags]
        schema = self._entity.schema
        if schema is None or not is_known(filled) or has_dotted_key(body := self._request_body(filled)):
            return filled, []

        def validate(api: AdminApi) -> list[Failure]:
            api.require_supported()
            try:
                api.post("schemas", schema, "validate", body=body)
            except InvalidEntityError as error:
                return [Failure(field, reason) for field, reason in error.field_errors()]
            return []

        return filled, self._kong.try_call(validate) or []

    def _derive_id(self, urn: str, inputs: Props) -> str | None:
        """Return the id for a create; None in a preview that can't know it yet."""
        identity = [inputs[name] for name in self._entity.identity]
        return entity_id(urn, *map(str, identity)) if is_known(identity) else None

    def keeps_id(self, urn: str, object_id: str, inputs: Props) -> bool:
        return object_id == self._derive_id(urn, inputs)

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        own_id = self._derive_id(urn, inputs)
        if own_id is None:
            return "", inputs
        if preview:
            return self._kong.try_call(lambda api: self._resolve_id(api, urn, own_id, inputs)) or own_id, inputs
        object_id = self._kong.call(lambda api: self._resolve_id(api, urn, own_id, inputs))
        outputs = self._put(object_id, inputs)
        self._created.add(object_id)
        return object_id, outputs

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """Return the live entity. On import `object_id` may be its name, or PARENT/NAME if it has a parent."""
        parent_field, lookup = self._entity.parent, self._entity.lookup_field
        parent, _, name = object_id.rpartition("/") if parent_field else ("", "", object_id)
        if parent_field and not (parent := parent or state.get(parent_field, "")):
            form = f"{parent_field}/{lookup or 'id'}".upper()
            raise PluginError(f"{self._entity.collection} are imported by {form}, not by {object_id!r}")
        found = self._kong.call(lambda api: api.get(*self._collection(parent), self._lookup_name(name)))
        if found is None:
            return None
        if state and self._belongs_to_another_state(found, state):
            self._kong.warn(f"{self._describe_foreign(found)}, so it is removed from this one")
            return None
        if state.get(_ANSWER) == digest(found):
            return found["id"], state, {name: state[name] for name in self._entity.fields}
        inputs = self._live_inputs(found, state | ({parent_field: parent} if parent_field else {}))
        return found["id"], inputs, inputs

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        if preview:
            self._kong.try_call(lambda api: self._check_update(api, object_id, state, inputs))
            return inputs
        self._kong.call(lambda api: self._require_own(api, object_id, state, inputs))
        return self._put(object_id, inputs)

    def delete(self, object_id: str, state: Props) -> None:
        if object_id in self._created:
            return  # `--replace` created the replacement at the same id
        path = self._path(state)

        def delete(api: AdminApi) -> None:
            found = api.get(*path, object_id)
            if found is not None and self._belongs_to_another_state(found, state):
                self._kong.warn(f"{self._describe_foreign(found)}, so it is not deleted")
                return
            try:
                api.delete(*path, object_id)
            except InvalidEntityError as error:
                if error.code != REFERENCED:
                    raise
                raise PluginError(self._describe_references(api, object_id, state, error)) from error

        self._kong.call(delete)

    def _describe_references(self, api: AdminApi, object_id: str, state: Props, error: InvalidEntityError) -> str:
        kind = str(error.fields.get("@referenced_by", "routes"))
        found = [
            f"{entity.get('name') or 'unnamed'} (id {entity['id']})"
            for entity in api.list(self._entity.collection, object_id, kind)
        ]
        more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
        kind, them = (kind, "them") if len(found) > 1 else (kind.removesuffix("s"), "it")
        return (
            f"{state.get('name') or object_id} can't be deleted, since it is used by {kind} "
            f"{', '.join(found[:_MAX_NAMED])}{more}. Delete {them}, or point {them} elsewhere, then run again."
        )

    def _resolve_id(self, api: AdminApi, urn: str, own_id: str, inputs: Props) -> str:
        """Return the id to create the entity at: its own, or that of the existing entity to take over."""
        api.require_supported()
        found = api.get(*self._path(inputs), own_id)
        if found is not None and mark_of(found) == self._kong.mark:
            return own_id  # an interrupted run of this state created it
        if found is None and is_known(inputs):
            found = self._find_conflict(api, inputs)
        return own_id if found is None else self._take_over(found, inputs, owner_of_urn(urn))

    def _take_over(self, found: Json, inputs: Props, own: Owner | None) -> str:
        """Return the id of an existing entity. Raises `PluginError` if it must not be taken over."""
        what = self._describe(inputs, found)
        if self._kong.adopt and owner_of(found) in (None, own):
            tags = ", ".join(found.get("tags") or ()) or "none"
            self._kong.warn(f"kong:adopt is true: {what} (id {found['id']}, tags {tags}) is taken over")
            return str(found["id"])
        raise PluginError(conflict_message(what, found, own, self._kong.mark, self._entity.rename))

    def _belongs_to_another_state(self, found: Json, state: Props) -> bool:
        # A state may contain a foreign mark: that of an entity which was imported, or its own old one.
        return mark_of(found) not in (None, self._kong.mark, mark_of(state))

    def _describe_foreign(self, found: Json) -> str:
        return f"Kong's {self._kind} {found['id']} belongs to another state (tags {', '.join(found['tags'])})"

    def _require_own(self, api: AdminApi, object_id: str, state: Props, inputs: Props) -> None:
        found = api.get(*self._path(inputs), object_id)
        if found is not None and self._belongs_to_another_state(found, state):
            self._take_over(found, inputs, owner_of(inputs))

    def _check_update(self, api: AdminApi, object_id: str, state: Props, inputs: Props) -> None:
        """Raise `PluginError` if the entity belongs to another state, or its new name is taken."""
        self._require_own(api, object_id, state, inputs)
        lookup = self._entity.lookup_field
        if lookup is None or state.get(lookup) == inputs[lookup] or not is_known(inputs):
            return
        found = self._find_conflict(api, inputs)
        if found is not None and found["id"] != object_id:
            existing = self._describe(inputs, found)
            raise PluginError(f"Kong already has {existing} (id {found['id']}); {self._entity.rename}")

    def _put(self, object_id: str, inputs: Props) -> Props:
        path = self._path(inputs)

        def put(api: AdminApi) -> Json | None:
            try:
                return self._write(api, path, object_id, self._request_body(inputs))
            except NameTakenError as error:
                found = self._find_conflict(api, inputs)
                existing = f" by id {found['id']}, tags {found.get('tags') or 'none'}" if found else ""
                raise PluginError(
                    f"{error}{existing}. Delete or rename the existing one, then run again."
                ) from error

        try:
            written = self._kong.call(put)
        except PluginError as error:
            raise PluginError(self._mask_secrets(str(error), inputs)) from None
        if written is None:
            raise PluginError(f"{'/'.join(path[:2])} no longer exists in Kong; run pulumi up --refresh")
        # Kong stores some fields under another name or in another form, which does not count as drift.
        is_as_given = not self.diff(self._live_inputs(written, inputs), inputs)
        return inputs if is_as_given else inputs | {_ANSWER: digest(written)}

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, body: Json) -> Json | None:
        return api.put(*path, object_id, body=body)

    def _mask_secrets(self, text: str, inputs: Props) -> str:
        for name in self._entity.secrets:  # Kong repeats a key that is taken
            if inputs.get(name):
                text = text.replace(str(inputs[name]), "[secret]")
        return text
