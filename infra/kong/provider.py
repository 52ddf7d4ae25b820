"""The Kong provider: Pulumi's verbs for Kong's entities, through the Admin API."""

import time
import uuid
from typing import Any

from infra.kong.admin_api import (
    DUPLICATE_ID,
    REFERENCED,
    AdminApi,
    AdminApiError,
    InvalidEntityError,
    Json,
    NameTakenError,
)
from infra.kong.entities import HEALTHCHECKS, ROUTE, SERVICE, TARGET, UPSTREAM, Entity, of_shape
from infra.kong.guards import CERTIFICATE, CONSUMER, KEY, PLUGIN, SNI
from infra.plugin import UNKNOWN, Failure, PluginError, Props, Provider, Resource, serve

VERSION = "2.0.0"
NAMESPACE = uuid.UUID("5b1c6a0e-2f43-5c1d-9d0a-5a6f2b8e7c11")
"""Ids are made from names below this one; to change it would replace every entity there is."""


def entity_id(urn: str, *more: str) -> str:
    """The id of the entity that a URN stands for: the same for each run, so that a repeated create is the same.

    It is made of stack, project, type and logical name, and not of Kong's name for it: a rename is an update.
    """
    _, stack, project, qualified_type, name = urn.split(":", 1)[0], *urn.removeprefix("urn:pulumi:").split("::")
    return str(uuid.uuid5(NAMESPACE, "::".join((stack, project, qualified_type.rpartition("$")[2], name, *more))))


class Kong:
    """The Kong that the provider is configured for."""

    def __init__(self) -> None:
        self._api: AdminApi | None = None

    def configure(self, config: Props) -> None:
        url = config.get("adminUrl")
        if url != UNKNOWN and not str(url).startswith(("http://", "https://")):
            raise PluginError(f"the Kong provider's adminUrl must be a http:// or https:// URL, not {url!r}")
        header = config.get("tokenHeader") or "Kong-Admin-Token"
        self._api = AdminApi(str(url), token=config.get("token"), token_header=header)

    @property
    def api(self) -> AdminApi:
        if self._api is None:
            raise PluginError("the Kong provider was used before it was configured")
        return self._api


class KongEntity(Resource):
    """An entity of a top-level collection: made and replaced whole by `PUT /collection/id`."""

    def __init__(self, kong: Kong, entity: Entity) -> None:
        self._kong = kong
        self._entity = entity
        self.inputs = frozenset(entity.fields)

    def check(self, _urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        return self._entity.complete(inputs)

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        object_id = entity_id(urn)
        if not preview:
            self._put(object_id, inputs)
        return object_id, inputs

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live entity. On import `object_id` may also be Kong's name for it."""
        found = self._asked(object_id)
        if found is None:
            return None
        inputs = self._managed(found, state)
        return found["id"], inputs, inputs

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:  # noqa: ARG002
        if not preview:
            self._put(object_id, inputs)
        return inputs

    def delete(self, object_id: str, state: Props) -> None:
        try:
            self._kong.api.delete(self._entity.collection, object_id)
        except InvalidEntityError as error:
            if error.code != REFERENCED:
                raise PluginError(str(error)) from error
            held_by = ", ".join(
                f"{route.get('name') or 'unnamed'} (id {route['id']})"
                for route in self._kong.api.list(self._entity.collection, object_id, "routes")
            )
            raise PluginError(
                f"{state.get('name')} can't be removed: it is in use by route {held_by}. "
                "Remove that route, or point it elsewhere, and run again."
            ) from error
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def _asked(self, object_id: str) -> Json | None:
        try:
            return self._kong.api.get(self._entity.collection, object_id)
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def _put(self, object_id: str, inputs: Props) -> None:
        collection = self._entity.collection
        try:
            self._kong.api.put(collection, object_id, body=self._document(inputs))
        except NameTakenError as error:
            raise PluginError(self._taken(inputs, error)) from error
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def _taken(self, inputs: Props, error: NameTakenError) -> str:
        name = inputs.get("name") or inputs.get("username")
        other = self._asked(str(name)) or {}
        return (
            f"Kong already has an entity named {name!r} in {self._entity.collection}, which this stack did not "
            f"make (id {other.get('id')}, tags {other.get('tags')}): {error}. Remove or rename it, then run again."
        )

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
        references = self._entity.references or {}

        def live(name: str, default: Any) -> Any:  # noqa: ANN401 - JSON
            if name in self._entity.local:
                return state.get(name, default)
            value = found.get(name, default)
            if name == "healthchecks":
                return of_shape(HEALTHCHECKS, value)
            if name == "config" and state:
                return of_shape(state.get(name), value)
            return value["id"] if name in references and value else value

        return {name: live(name, default) for name, (default, _) in self._entity.fields.items()}


class KongTarget(KongEntity):
    """A target lives below its upstream and has no PUT that creates, so it is posted with an id of its own."""

    replaced_on = frozenset({"target", "upstream"})

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        # A target that takes another's place is there before the old one goes, so its address is part of its id.
        object_id = entity_id(urn, str(inputs["upstream"]), str(inputs["target"]))
        if preview:
            return object_id if UNKNOWN not in inputs.values() else "", inputs
        path = ("upstreams", inputs["upstream"], "targets")
        document = self._document(inputs)
        try:
            found = self._kong.api.get(*path, object_id)
            if found is None:
                found = self._posted(path, document | {"id": object_id})
            if found.get("weight") != inputs["weight"]:  # from a run that ended before it was noted
                self._kong.api.put(*path, object_id, body=document)
        except AdminApiError as error:
            raise PluginError(str(error)) from error
        return object_id, inputs

    def _posted(self, path: tuple[str, str, str], body: Json) -> Json:
        try:
            made = self._kong.api.post(*path, body=body)
        except (NameTakenError, InvalidEntityError) as error:
            # A repeated POST whose first answer was lost meets its own target.
            found = self._kong.api.get(*path, body["id"])
            if found is not None:
                return found
            if isinstance(error, InvalidEntityError) and error.code != DUPLICATE_ID:
                raise
            raise PluginError(
                f"Kong already has a target {body['target']} in this upstream, or one with the id {body['id']} in "
                f"another, which this stack did not make: {error}. Remove it, then run again."
            ) from error
        if made is None:
            raise PluginError(f"there is no upstream {path[1]} for target {body['target']}")
        return made

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live target. On import `object_id` is UPSTREAM/TARGET, each a name or an id."""
        upstream, _, target = object_id.rpartition("/")
        upstream = upstream or str(state.get("upstream", ""))
        if not upstream:
            raise PluginError(f"to import a target, give its id as UPSTREAM/TARGET, not {object_id!r}")
        try:
            found = self._kong.api.get("upstreams", upstream, "targets", target)
        except AdminApiError as error:
            raise PluginError(str(error)) from error
        if found is None:
            return None
        inputs = self._managed(found, state)
        return found["id"], inputs, inputs

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        if not preview:
            path = ("upstreams", state["upstream"], "targets", object_id)
            try:
                found = self._kong.api.put(*path, body=self._document(inputs))
            except AdminApiError as error:
                raise PluginError(str(error)) from error
            if found is None:
                raise PluginError(f"target {inputs['target']} is gone from Kong: run pulumi up --refresh")
        return inputs

    def delete(self, object_id: str, state: Props) -> None:
        try:
            self._kong.api.delete("upstreams", state["upstream"], "targets", object_id)
        except AdminApiError as error:
            raise PluginError(str(error)) from error
        time.sleep(state.get("drain_seconds") or 0)


class KongKey(KongEntity):
    """A key lives below its consumer, where it has a PUT that creates (kong/plugins/key-auth/api.lua)."""

    replaced_on = frozenset({"consumer"})

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        object_id = entity_id(urn, str(inputs["consumer"]))
        if not preview:
            self._put_below(object_id, inputs)
        return object_id, inputs

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live key. On import `object_id` is CONSUMER/ID, each a name or an id."""
        consumer, _, key = object_id.rpartition("/")
        try:
            found = self._kong.api.get("consumers", consumer or str(state.get("consumer")), "key-auth", key)
        except AdminApiError as error:
            raise PluginError(str(error)) from error
        if found is None:
            return None
        inputs = self._managed(found, state)
        return found["id"], inputs, inputs

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:  # noqa: ARG002
        if not preview:
            self._put_below(object_id, inputs)
        return inputs

    def delete(self, object_id: str, state: Props) -> None:
        try:
            self._kong.api.delete("consumers", state["consumer"], "key-auth", object_id)
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def _put_below(self, object_id: str, inputs: Props) -> None:
        path = ("consumers", inputs["consumer"], "key-auth", object_id)
        try:
            made = self._kong.api.put(*path, body=self._document(inputs))
        except NameTakenError as error:  # Kong's own words would repeat the key
            raise PluginError(
                f"another consumer in Kong has the key that consumer {inputs['consumer']} is given"
            ) from error
        except AdminApiError as error:
            raise PluginError(str(error)) from error
        if made is None:
            raise PluginError(f"there is no consumer {inputs['consumer']}: run pulumi up --refresh")


def main() -> None:
    """Serve the provider to the Pulumi engine."""
    kong = Kong()
    serve(
        Provider(
            {
                "kong:index:KongService": KongEntity(kong, SERVICE),
                "kong:index:KongRoute": KongEntity(kong, ROUTE),
                "kong:index:KongUpstream": KongEntity(kong, UPSTREAM),
                "kong:index:KongTarget": KongTarget(kong, TARGET),
                "kong:index:KongPlugin": KongEntity(kong, PLUGIN),
                "kong:index:KongConsumer": KongEntity(kong, CONSUMER),
                "kong:index:KongKey": KongKey(kong, KEY),
                "kong:index:KongCertificate": KongEntity(kong, CERTIFICATE),
                "kong:index:KongSni": KongEntity(kong, SNI),
            },
            kong.configure,
        ),
        VERSION,
    )
