"""The Kong provider: its resource types, each with what is special about it."""

from typing import Any

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import InvalidEntityError, Json, NameTakenError
from infra.kong.provider.resource import EntityResource
from infra.kong.schema.access import CERTIFICATE, CONSUMER, KEY, MEMBERSHIP, PLUGIN, SCOPES, SNI
from infra.kong.schema.entity import defaults_of
from infra.kong.schema.plugin_configs import CONFIGS, keeps_out
from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM
from infra.kong.schema.validators import as_kept, is_target, is_uuid
from infra.plugin import PluginError, Provider, serve
from infra.props import UNKNOWN, Failure, Props

VERSION = "2.0.0"


class TargetResource(EntityResource):
    """A target has no PUT that creates, so it is posted with an id of its own."""

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, document: Json) -> Json | None:
        put = api.put(*path, object_id, body=document)
        if put is not None:
            return put
        try:
            return api.post(*path, body=document | {"id": object_id})
        except (InvalidEntityError, NameTakenError):
            # A POST whose answer was lost is repeated, and finds what it has made itself.
            if put := api.put(*path, object_id, body=document):
                return put
            raise

    def _name(self, given: str) -> str:
        return given if is_target(given) else as_kept(given)

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        self._kong.wait(state.get("drain_seconds") or 0)


class KeyResource(EntityResource):
    """A key stands for one consumer; in the URL of a look-up it would end in logs, so all are looked through."""

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        return next((found for found in api.list("key-auths") if found["key"] == inputs["key"]), None)

    def _describe(self, inputs: Props, found: Json) -> str:
        return "this very key for a consumer" if found["key"] == inputs["key"] else "a key of this consumer"


class MembershipResource(EntityResource):
    """A membership may be that of a consumer whose name alone is known, since somebody else made it."""

    def _resolve_id(self, api: AdminApi, urn: str, object_id: str, inputs: Props) -> str:
        consumer = inputs["consumer"]
        if not is_uuid(consumer) and api.get("consumers", consumer) is None:
            raise PluginError(
                f"Kong has no consumer {consumer!r} that could be put into the group {inputs['group']!r}: "
                "check its name in platformConsumers, or make it first"
            )
        return super()._resolve_id(api, urn, object_id, inputs)

    def _describe(self, inputs: Props, _found: Json) -> str:
        return f"consumer {inputs['consumer']!r} in the group {inputs['group']!r}"

    def _document(self, inputs: Props) -> Json:
        return {name: value for name, value in inputs.items() if name != "consumer"}  # which the path names

    def _live(self, name: str, found: Json, state: Props) -> Any:  # noqa: ANN401 - JSON
        return state[name] if name == "consumer" else super()._live(name, found, state)


class CertificateResource(EntityResource):
    """A certificate that is put without its host names loses them, so one that is there is patched."""

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        """Refuse a certificate that is outdated, but warn of one that was let in before: it expired meanwhile.

        The date is looked at here, where a destroy does not come by, and what was declared before is known.
        """
        from infra import tls  # cryptography takes as long to load as a tenth of a preview

        filled, failures = super().check(urn, inputs, old)
        if failures or filled["cert"] == UNKNOWN or (reason := tls.validity_error(filled["cert"])) is None:
            return filled, failures
        advice = f"{reason}: set a current one, with `pulumi config set --secret tlsCertificate` and tlsKey"
        if filled["cert"] != old.get("cert"):
            return filled, [Failure("", advice)]  # of a property the engine would print the value
        self._kong.warn(advice)
        return filled, []

    def _write(self, api: AdminApi, path: tuple[str, ...], object_id: str, document: Json) -> Json | None:
        patched = api.patch(*path, object_id, body=document)
        return patched or super()._write(api, path, object_id, document)


class RouteResource(EntityResource):
    """A route that was removed leads on for a while, and so long its guards must stay."""

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        service = state["service"]
        if not service or object_id in self._made:
            return
        plugins = self._kong.call(lambda api: [one["name"] for one in api.list("services", service, "plugins")])
        if any(map(keeps_out, plugins)):
            self._kong.settle()


class PluginResource(EntityResource):
    """A plugin has no name: there is one of its kind for each service, route and consumer that it is for.

    One that keeps somebody out is not done before every worker of Kong acts on it. So a route that comes after it
    is never open; and nobody is turned away for want of a key, or a group, that is removed after it. A run that is
    killed meanwhile has not noted it as done, and the next one waits again.
    """

    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        made = super().create(urn, inputs, preview=preview)
        if not preview and keeps_out(inputs["name"]):
            self._kong.settle()
        return made

    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        outputs = super().update(object_id, state, inputs, preview=preview)
        if not preview and keeps_out(inputs["name"]):
            self._kong.settle()
        return outputs

    def delete(self, object_id: str, state: Props) -> None:
        super().delete(object_id, state)
        service = state["service"]
        if not service or state["route"] or object_id in self._made or not keeps_out(state["name"]):
            return
        if self._kong.call(lambda api: any(api.list("services", service, "routes"))):
            self._kong.settle()

    def _find_conflict(self, api: AdminApi, inputs: Props) -> Json | None:
        scope = next(((SCOPES[one], inputs[one]) for one in ("consumer", "route", "service") if inputs[one]), ())
        for found in api.list(*scope, "plugins"):
            is_alike = all((found.get(one) or {}).get("id") == inputs[one] for one in SCOPES)
            if is_alike and found["name"] == inputs["name"]:
                return found
        return None

    def _describe(self, inputs: Props, _found: Json) -> str:
        scope = ", ".join(f"{one} {inputs[one]}" for one in SCOPES if inputs[one])
        return f"a plugin {inputs['name']!r} for {scope or 'all requests'}"

    def _document(self, inputs: Props) -> Json:
        # What is left out of a config that is put is as Kong has it; a null may be more than Kong takes.
        config = {name: value for name, value in inputs["config"].items() if value is not None}
        document = super()._document(inputs) | {"config": config}
        if inputs["protocols"] is None:  # Kong takes no null for it
            del document["protocols"]
        return document

    def _live(self, name: str, found: Json, state: Props) -> Any:  # noqa: ANN401 - JSON
        if name == "protocols" and found["name"] not in CONFIGS and state.get(name) is None:
            return None
        if name != "config":
            return super()._live(name, found, state)
        known, given = CONFIGS.get(found["name"]), state.get("config")
        if known is None and given is None:  # on import
            return found["config"]
        return _given((defaults_of(known) if known else {}) | (given or {}), found["config"])


def _given(shape: Props, live: Json) -> Json:
    """Of a live config what is managed; a record of which nothing was given is as Kong has it."""
    told: Json = {}
    for name, given in shape.items():
        value = live.get(name)
        if isinstance(value, dict) and not isinstance(given, dict):
            value = None
        told[name] = _managed_part(given, value)
    return told


def _managed_part(given: Any, live: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(given, dict) and isinstance(live, dict):
        return _given(given, live)
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [_managed_part(*pair) for pair in zip(given, live, strict=True)]
    return live


def main() -> None:
    """Serve the provider to the Pulumi engine."""
    kong = Kong()
    serve(
        Provider(
            {
                "kong:index:KongService": EntityResource(kong, SERVICE),
                "kong:index:KongRoute": RouteResource(kong, ROUTE),
                "kong:index:KongUpstream": EntityResource(kong, UPSTREAM),
                "kong:index:KongTarget": TargetResource(kong, TARGET),
                "kong:index:KongPlugin": PluginResource(kong, PLUGIN),
                "kong:index:KongConsumer": EntityResource(kong, CONSUMER),
                "kong:index:KongKey": KeyResource(kong, KEY, delete_before_replace=True),
                "kong:index:KongMembership": MembershipResource(kong, MEMBERSHIP),
                "kong:index:KongCertificate": CertificateResource(kong, CERTIFICATE),
                "kong:index:KongSni": EntityResource(kong, SNI),
            },
            kong.configure,
            {"kong:index:require": kong.require},
        ),
        VERSION,
    )
