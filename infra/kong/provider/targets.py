"""Targets of an upstream: where Kong sends requests."""

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.errors import AdminApiDeniedError, InvalidEntityError, Json, NameTakenError
from infra.kong.provider.resource import EntityResource
from infra.kong.schema.validators import is_target, normalize_target
from infra.plugin import PluginError
from infra.props import Props

_RESOLVE_SECONDS = 15


class TargetResource(EntityResource):
    """A target, which PUT can't create: it is posted, with its id."""

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Create the target. A host that Kong can't resolve is an error, while earlier targets still serve."""
        object_id, outputs = super().create(urn, inputs, preview=preview)
        if not preview and not self._is_resolved(object_id, inputs):
            self._kong.call(lambda api: api.delete(*self._path(inputs), object_id))
            raise PluginError(
                f"Kong can't resolve the host of target {inputs['target']}, so it could not send requests there. "
                "The target is removed again. Set network to a Docker network that Kong is in too, or use publish"
            )
        return object_id, outputs

    def _is_resolved(self, object_id: str, inputs: Props) -> bool:
        """Wait until Kong, if it serves requests itself, has an address of the target; return whether it has."""

        def has_error(api: AdminApi) -> bool:
            try:
                listed = list(api.list("upstreams", inputs["upstream"], "health"))
            except AdminApiDeniedError:
                return False  # a role may not be allowed to see it
            health = {target["id"]: target.get("health") for target in listed}
            return health.get(object_id) == "DNS_ERROR" and api.serves_requests()

        for _ in range(_RESOLVE_SECONDS):
            if not self._kong.call(has_error):
                return True
            self._kong.wait(1)
        return False

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, body: Json) -> Json | None:
        if written := api.put(*path, object_id, body=body):
            return written
        try:
            return api.post(*path, body=body | {"id": object_id})
        except (InvalidEntityError, NameTakenError):
            # A POST whose response was lost is retried, and conflicts with itself.
            if written := api.put(*path, object_id, body=body):
                return written
            raise

    def _lookup_name(self, given: str) -> str:
        return given if is_target(given) else normalize_target(given)

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        self._kong.wait(state.get("drain_seconds") or 0)
