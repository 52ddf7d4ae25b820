"""The resource types whose entities differ from the others in Kong."""

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import AdminApiDeniedError, Json
from infra.kong.provider.overlap import Overlap, find_overlap
from infra.kong.provider.ownership import Owner, mark_of, overlap_message, owner_of, owner_of_urn
from infra.kong.provider.resource import EntityResource
from infra.kong.schema.access import SCOPES
from infra.kong.schema.entity import Entity, defaults_of
from infra.kong.schema.plugin_configs import CONFIGS, restricts_access
from infra.kong.schema.routing import RENAME_HOST
from infra.kong.schema.validators import is_uuid
from infra.plugin import PluginError
from infra.props import UNKNOWN, Failure, Props, is_known


class KeyResource(EntityResource):
    """A key of one consumer. To look it up by its value would put it into a URL, and so into logs."""

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        return next((found for found in api.list("key-auths") if found["key"] == inputs["key"]), None)

    def _describe(self, inputs: Props, found: Json) -> str:
        return "this very key for a consumer" if found["key"] == inputs["key"] else "a key of this consumer"


class MembershipResource(EntityResource):
    """A membership of a consumer, which may be named by its username if another stack created it."""

    def _resolve_id(self, api: AdminApi, urn: str, object_id: str, inputs: Props) -> str:
        consumer = inputs["consumer"]
        if not is_uuid(consumer) and api.get("consumers", consumer) is None:
            raise PluginError(
                f"Kong has no consumer {consumer!r} to add to the group {inputs['group']!r}; "
                "check its name in platformConsumers, or create it first"
            )
        return super()._resolve_id(api, urn, object_id, inputs)

    def _describe(self, inputs: Props, _found: Json) -> str:
        return f"consumer {inputs['consumer']!r} in the group {inputs['group']!r}"

    def _request_body(self, inputs: Props) -> Json:
        return {name: value for name, value in inputs.items() if name != "consumer"}  # it is in the path

    def _live_value(self, name: str, found: Json, state: Props) -> object:
        return state[name] if name == "consumer" else super()._live_value(name, found, state)


class CertificateResource(EntityResource):
    """A certificate. A PUT without its SNIs would remove them, so an existing one is patched."""

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        """Reject a new certificate that is not valid today, and warn of a deployed one that has expired.

        Here, a destroy never checks the date, and what was deployed before is known.
        """
        from infra import tls  # loading cryptography takes a tenth of a preview's time

        filled, failures = super().check(urn, inputs, old)
        if failures or filled["cert"] == UNKNOWN or (reason := tls.validity_error(filled["cert"])) is None:
            return filled, failures
        advice = f"{reason}; set a current one with `pulumi config set --secret tlsCertificate`, and its tlsKey"
        if filled["cert"] != old.get("cert"):
            return filled, [Failure("", advice)]  # for a named property the engine would print the value
        self._kong.warn(advice)
        return filled, []

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, body: Json) -> Json | None:
        return api.patch(*path, object_id, body=body) or super()._write(api, path, object_id, body)


class RouteResource(EntityResource):
    """A route. Workers serve a deleted one for a while, so what restricts access to it must stay until then.

    Kong accepts two routes that match the same requests, and uses one of them only. So before a new host or path
    is written, the other routes are read.
    """

    def __init__(self, kong: Kong, entity: Entity) -> None:
        super().__init__(kong, entity)
        self._warned_of: set[str] = set()  # the ids of routes, by this process, which serves one run

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        service = state["service"]
        if not service or object_id in self._created:
            return
        plugins = self._kong.call(
            lambda api: [found["name"] for found in api.list("services", service, "plugins")]
        )
        if any(map(restricts_access, plugins)):
            self._kong.wait_for_workers()

    def _resolve_id(self, api: AdminApi, urn: str, own_id: str, inputs: Props) -> str:
        object_id = super()._resolve_id(api, urn, own_id, inputs)
        self._check_overlaps(api, object_id, inputs, owner_of_urn(urn))
        return object_id

    def _require_own(self, api: AdminApi, object_id: str, state: Props, inputs: Props) -> None:
        super()._require_own(api, object_id, state, inputs)
        if any(state.get(name) != inputs[name] for name in ("hosts", "paths")):
            self._check_overlaps(api, object_id, inputs, owner_of(inputs))

    def _check_overlaps(self, api: AdminApi, object_id: str, inputs: Props, own: Owner | None) -> None:
        """Look for routes that match the same requests. Raises `PluginError` for one of another state."""
        if not inputs["hosts"] or not is_known([inputs["hosts"], inputs["paths"]]):
            return
        try:
            routes = list(api.list("routes"))
        except AdminApiDeniedError:
            return  # a role may be allowed to see its own routes only
        for found in routes:
            if found["id"] != object_id and (overlap := find_overlap(inputs, found)):
                self._report_overlap(found, overlap, own)

    def _report_overlap(self, found: Json, overlap: Overlap, own: Owner | None) -> None:
        owner, mark = owner_of(found), mark_of(found)
        if owner is None:
            self._warn_of(found, overlap)
        elif mark != self._kong.mark if mark else owner != own:
            what = self._describe(found, found)
            raise PluginError(overlap_message(what, found, owner, own, str(overlap), RENAME_HOST))

    def _warn_of(self, found: Json, overlap: Overlap) -> None:
        if found["id"] in self._warned_of:
            return
        self._warned_of.add(found["id"])
        name = found.get("name") or "without a name"
        self._kong.warn(
            f"Kong's route {name} ({found['id']}), which no stack owns, matches the same requests: {overlap}. "
            "Each reaches only one of the two. Choose another hostname, or remove that route."
        )


class PluginResource(EntityResource):
    """A plugin, which has no name: there is one of each kind for a service, route and consumer.

    The call for one that restricts access returns when every worker of Kong acts on it. So a route that is created
    after it is never open, and no client is rejected for lack of a key or group that is deleted after it. An
    interrupted run has not recorded the plugin, so the next run waits again.
    """

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        created = super().create(urn, inputs, preview=preview)
        if not preview and restricts_access(inputs["name"]):
            self._kong.wait_for_workers()
        return created

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        outputs = super().update(object_id, state, inputs, preview=preview)
        if not preview and restricts_access(inputs["name"]):
            self._kong.wait_for_workers()
        return outputs

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        service = state["service"]
        if not service or state["route"] or object_id in self._created or not restricts_access(state["name"]):
            return
        if self._kong.call(lambda api: any(api.list("services", service, "routes"))):
            self._kong.wait_for_workers()

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        narrowest = next((name for name in ("consumer", "route", "service") if inputs[name]), None)
        path = (SCOPES[narrowest], inputs[narrowest]) if narrowest else ()
        for found in api.list(*path, "plugins"):
            has_same_scope = all((found.get(name) or {}).get("id") == inputs[name] for name in SCOPES)
            if has_same_scope and found["name"] == inputs["name"]:
                return found
        return None

    def _describe(self, inputs: Props, _found: Json) -> str:
        scope = ", ".join(f"{name} {inputs[name]}" for name in SCOPES if inputs[name])
        return f"a plugin {inputs['name']!r} for {scope or 'all requests'}"

    def _request_body(self, inputs: Props) -> Json:
        # A PUT resets the config fields that it leaves out; some reject an explicit null.
        config = {name: value for name, value in inputs["config"].items() if value is not None}
        body = super()._request_body(inputs) | {"config": config}
        if inputs["protocols"] is None:  # which Kong rejects
            del body["protocols"]
        return body

    def _live_value(self, name: str, found: Json, state: Props) -> object:
        if name == "protocols" and found["name"] not in CONFIGS and state.get(name) is None:
            return None
        if name != "config":
            return super()._live_value(name, found, state)
        known, given = CONFIGS.get(found["name"]), state.get("config")
        if known is None and given is None:  # on import
            return found["config"]
        return _pick_managed((defaults_of(known) if known else {}) | (given or {}), found["config"])


def _pick_managed(given: object, live: object) -> object:
    """Return the part of a live config that was given. A record of which nothing was given is left to Kong."""
    if isinstance(given, dict) and isinstance(live, dict):
        picked: Json = {}
        for name, item in given.items():
            value = live.get(name)
            is_unmanaged_record = isinstance(value, dict) and not isinstance(item, dict)
            picked[name] = None if is_unmanaged_record else _pick_managed(item, value)
        return picked
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [_pick_managed(*pair) for pair in zip(given, live, strict=True)]
    return live
