"""A provider made of `Resource` types, on the provider interface that Pulumi's SDK still marks experimental.

The types work on plain JSON values: unknown values, secrets and detailed diffs are handled here.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as pp
from pulumi.provider.experimental.property_value import PropertyValue

from infra.plugin.resource import PluginError, Resource
from infra.props import Props

_Answer = TypeVar("_Answer")
CANCELLED = Event()
"""Set when the user interrupts the run."""


def pause(seconds: float) -> None:
    """Wait. Raises `PluginError` when the user interrupts the run."""
    if CANCELLED.wait(seconds):
        raise PluginError("interrupted; run the same command again")


def to_json(value: PropertyValue) -> Any:  # noqa: ANN401 - JSON
    """Convert a property value to JSON. Integers arrive as floats, and become int again."""
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: to_json(item) for key, item in inner.items()}
    if isinstance(inner, tuple):
        return [to_json(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def _to_props(properties: Mapping[str, PropertyValue]) -> Props:
    return {name: to_json(value) for name, value in properties.items()}


def from_json(value: Any) -> PropertyValue:  # noqa: ANN401 - JSON
    """Convert JSON to a property value: the inverse of `to_json`."""
    if isinstance(value, dict):
        return PropertyValue({key: from_json(item) for key, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([from_json(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def from_props(properties: Props, secrets: frozenset[str] = frozenset()) -> dict[str, PropertyValue]:
    """Convert properties for the engine, which stores secret ones encrypted."""
    return {
        name: PropertyValue(from_json(value).value, is_secret=name in secrets and value is not None)
        for name, value in properties.items()
    }


class Provider(pp.Provider):
    """Dispatches each call of the engine to its resource type."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        configure: Callable[[Props], None],
        functions: Mapping[str, Callable[[Props], Props]] | None = None,
    ) -> None:
        self._resources = resources
        self._configure = configure
        self._functions = functions or {}

    def _get_type(self, qualified_type: str) -> Resource:
        resource_type = qualified_type.rpartition("$")[2]  # without the types of its parents
        try:
            return self._resources[resource_type]
        except KeyError:
            known = ", ".join(sorted(self._resources))
            raise PluginError(f"unknown resource type {resource_type}; known types: {known}") from None

    async def check_config(self, request: pp.CheckRequest) -> pp.CheckResponse:
        return pp.CheckResponse(inputs=request.new_inputs)

    async def diff_config(self, request: pp.DiffRequest) -> pp.DiffResponse:
        old, new = _to_props(request.old_state), _to_props(request.new_inputs)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        # The SDK passes this bool on as the protocol's enum: 1 is DIFF_NONE, and 0 lets the engine decide.
        # Never a replacement: that would delete and recreate all entities when the same Kong gets another address.
        return pp.DiffResponse(diffs=changed) if changed else pp.DiffResponse(changes=True)

    async def configure(self, request: pp.ConfigureRequest) -> pp.ConfigureResponse:
        await asyncio.to_thread(self._configure, _to_props(request.args))
        # Without accept_secrets the engine sends secrets unwrapped, and marks the same properties of the response.
        return pp.ConfigureResponse(accept_secrets=False, supports_preview=True)

    async def check(self, request: pp.CheckRequest) -> pp.CheckResponse:
        inputs, failures = await asyncio.to_thread(
            self._get_type(request.type).check,
            request.urn,
            _to_props(request.new_inputs),
            _to_props(request.old_inputs or {}),
        )
        return pp.CheckResponse(
            inputs=from_props(inputs, self._get_type(request.type).secrets),
            failures=[pp.CheckFailure(failure.property, failure.reason) for failure in failures],
        )

    async def diff(self, request: pp.DiffRequest) -> pp.DiffResponse:
        resource = self._get_type(request.type)
        state, inputs = resource.recorded(_to_props(request.old_state)), _to_props(request.new_inputs)
        changed = sorted(resource.diff(state, inputs) - set(request.ignore_changes))
        keeps_id = resource.keeps_id(request.urn, request.resource_id, inputs)
        replaces = [name for name in changed if name in resource.replace_on_changes and not keeps_id]
        return pp.DiffResponse(
            changes=bool(changed),
            replaces=replaces,
            delete_before_replace=resource.delete_before_replace,
            diffs=changed,
            detailed_diff={
                path: pp.PropertyDiff(kind, input_diff=False)
                for name in changed
                for path, kind in _diff_details(name, state.get(name), inputs.get(name), replaces=name in replaces)
            },
        )

    async def invoke(self, request: pp.InvokeRequest) -> pp.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise PluginError(f"unknown function {request.tok}; known functions: {known}")
        return pp.InvokeResponse(from_props(await asyncio.to_thread(function, _to_props(request.args))))

    async def create(self, request: pp.CreateRequest) -> pp.CreateResponse:
        resource = self._get_type(request.type)
        properties = _to_props(request.properties)
        create = partial(resource.create, request.urn, properties, preview=request.preview)
        object_id, outputs = await _run(create, request.timeout)
        return pp.CreateResponse(resource_id=object_id, properties=from_props(outputs, resource.secrets))

    async def read(self, request: pp.ReadRequest) -> pp.ReadResponse:
        resource = self._get_type(request.type)
        found = await asyncio.to_thread(resource.read, request.resource_id, _to_props(request.properties))
        if found is None:
            return pp.ReadResponse(resource_id="")
        object_id, outputs, inputs = found
        return pp.ReadResponse(
            object_id, from_props(outputs, resource.secrets), from_props(inputs, resource.secrets)
        )

    async def update(self, request: pp.UpdateRequest) -> pp.UpdateResponse:
        resource = self._get_type(request.type)
        olds, news = _to_props(request.olds), _to_props(request.news)
        update = partial(resource.update, request.resource_id, olds, news, preview=request.preview)
        outputs = await _run(update, request.timeout)
        return pp.UpdateResponse(properties=from_props(outputs, resource.secrets))

    async def cancel(self) -> None:
        CANCELLED.set()

    async def delete(self, request: pp.DeleteRequest) -> None:
        resource = self._get_type(request.type)
        await _run(partial(resource.delete, request.resource_id, _to_props(request.properties)), request.timeout)


async def _run(call: Callable[[], _Answer], timeout: float) -> _Answer:  # noqa: ASYNC109 - a thread can't be cancelled
    """Run a call in a thread, within the resource's `custom_timeouts` in seconds; the engine sends 0 for none."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(call), timeout or None)
    except TimeoutError:
        raise PluginError(f"timed out after {timeout:.0f} s, the custom timeout of the resource") from None


def _diff_details(path: str, old: object, new: object, *, replaces: bool) -> list[tuple[str, pp.PropertyDiffKind]]:
    """Return the path of each leaf that differs below a property, for the engine to print."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            detail
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
            for detail in _diff_details(f"{path}.{key}", old.get(key), new.get(key), replaces=replaces)
        ]
    kinds = pp.PropertyDiffKind
    if old is None:
        return [(path, kinds.ADD_REPLACE if replaces else kinds.ADD)]
    if new is None:
        return [(path, kinds.DELETE_REPLACE if replaces else kinds.DELETE)]
    return [(path, kinds.UPDATE_REPLACE if replaces else kinds.UPDATE)]
