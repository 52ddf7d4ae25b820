"""A table of resource types as Pulumi's provider interface wants it, which its SDK still marks experimental.

Each type is a `Resource`, whose inputs and outputs are plain JSON values; everything about unknown values, secrets
and detailed diffs is dealt with here.
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
"""Set when the user has interrupted the run: whoever waits then ends."""


def pause(seconds: float) -> None:
    """Wait; PluginError when the run is interrupted."""
    if CANCELLED.wait(seconds):
        raise PluginError("interrupted: run the same again")


def plain(value: PropertyValue) -> Any:  # noqa: ANN401 - JSON
    """A property value as JSON; whole numbers, which arrive as floats, as int."""
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, tuple):
        return [plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def _plain_map(properties: Mapping[str, PropertyValue]) -> Props:
    return {name: plain(value) for name, value in properties.items()}


def wrap(value: Any) -> PropertyValue:  # noqa: ANN401 - JSON
    """JSON as a property value: the inverse of `plain`."""
    if isinstance(value, dict):
        return PropertyValue({key: wrap(item) for key, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([wrap(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def wrap_map(properties: Props, secrets: frozenset[str] = frozenset()) -> dict[str, PropertyValue]:
    """Properties for the engine; what is secret goes into the state encrypted."""
    return {
        name: PropertyValue(wrap(value).value, is_secret=name in secrets and value is not None)
        for name, value in properties.items()
    }


class Provider(pp.Provider):
    """Hands each call of the engine to the resource type it is for."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        configure: Callable[[Props], None],
        functions: Mapping[str, Callable[[Props], Props]] | None = None,
    ) -> None:
        self._resources = resources
        self._configure = configure
        self._functions = functions or {}

    def _of(self, qualified_type: str) -> Resource:
        resource_type = qualified_type.rpartition("$")[2]  # without the types of its parents
        try:
            return self._resources[resource_type]
        except KeyError:
            known = ", ".join(sorted(self._resources))
            raise PluginError(f"there is no resource type {resource_type}; there are {known}") from None

    async def check_config(self, request: pp.CheckRequest) -> pp.CheckResponse:
        return pp.CheckResponse(inputs=request.new_inputs)

    async def diff_config(self, request: pp.DiffRequest) -> pp.DiffResponse:
        old, new = _plain_map(request.old_state), _plain_map(request.new_inputs)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        # The SDK hands this bool on as the protocol's number: 1 is DIFF_NONE, and nothing is "look yourself".
        # Never a replacement: the same Kong at another address would lose what was just made anew in it.
        return pp.DiffResponse(diffs=changed) if changed else pp.DiffResponse(changes=True)

    async def configure(self, request: pp.ConfigureRequest) -> pp.ConfigureResponse:
        await asyncio.to_thread(self._configure, _plain_map(request.args))
        # Without accept_secrets the engine unwraps secrets for us and marks the same
        # names in what comes back.
        return pp.ConfigureResponse(accept_secrets=False, supports_preview=True)

    async def check(self, request: pp.CheckRequest) -> pp.CheckResponse:
        inputs, failures = await asyncio.to_thread(
            self._of(request.type).check,
            request.urn,
            _plain_map(request.new_inputs),
            _plain_map(request.old_inputs or {}),
        )
        return pp.CheckResponse(
            inputs=wrap_map(inputs, self._of(request.type).secrets),
            failures=[pp.CheckFailure(failure.property, failure.reason) for failure in failures],
        )

    async def diff(self, request: pp.DiffRequest) -> pp.DiffResponse:
        resource = self._of(request.type)
        state, inputs = resource.recorded(_plain_map(request.old_state)), _plain_map(request.new_inputs)
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
                for path, kind in _details(name, state.get(name), inputs.get(name), replaces=name in replaces)
            },
        )

    async def invoke(self, request: pp.InvokeRequest) -> pp.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise PluginError(f"there is no function {request.tok}; there are {known}")
        return pp.InvokeResponse(wrap_map(await asyncio.to_thread(function, _plain_map(request.args))))

    async def create(self, request: pp.CreateRequest) -> pp.CreateResponse:
        resource = self._of(request.type)
        properties = _plain_map(request.properties)
        object_id, outputs = await _within(
            _limit(resource, request.timeout),
            partial(resource.create, request.urn, properties, preview=request.preview),
        )
        return pp.CreateResponse(resource_id=object_id, properties=wrap_map(outputs, resource.secrets))

    async def read(self, request: pp.ReadRequest) -> pp.ReadResponse:
        resource = self._of(request.type)
        found = await asyncio.to_thread(resource.read, request.resource_id, _plain_map(request.properties))
        if found is None:
            return pp.ReadResponse(resource_id="")
        object_id, outputs, inputs = found
        return pp.ReadResponse(object_id, wrap_map(outputs, resource.secrets), wrap_map(inputs, resource.secrets))

    async def update(self, request: pp.UpdateRequest) -> pp.UpdateResponse:
        resource = self._of(request.type)
        olds, news = _plain_map(request.olds), _plain_map(request.news)
        outputs = await _within(
            _limit(resource, request.timeout),
            partial(resource.update, request.resource_id, olds, news, preview=request.preview),
        )
        return pp.UpdateResponse(properties=wrap_map(outputs, resource.secrets))

    async def cancel(self) -> None:
        CANCELLED.set()

    async def delete(self, request: pp.DeleteRequest) -> None:
        resource = self._of(request.type)
        await _within(
            _limit(resource, request.timeout),
            partial(resource.delete, request.resource_id, _plain_map(request.properties)),
        )


def _limit(resource: Resource, seconds: float) -> float | None:
    """The resource's `custom_timeouts`, where it takes any; the engine sends 0 for none."""
    return seconds or None if resource.takes_timeouts else None


async def _within(seconds: float | None, call: Callable[[], _Answer]) -> _Answer:
    """What a call of its own thread returns, within that time."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(call), seconds)
    except TimeoutError:
        raise PluginError(
            f"no answer within {seconds:.0f} s, which the resource's custom timeout allows"
        ) from None


def _details(
    path: str,
    old: Any,  # noqa: ANN401 - JSON
    new: Any,  # noqa: ANN401 - JSON
    *,
    replaces: bool,
) -> list[tuple[str, pp.PropertyDiffKind]]:
    """Each leaf that differs below a property, as the engine's paths, so that a preview names it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            detail
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
            for detail in _details(f"{path}.{key}", old.get(key), new.get(key), replaces=replaces)
        ]
    kinds = pp.PropertyDiffKind
    if old is None:
        return [(path, kinds.ADD_REPLACE if replaces else kinds.ADD)]
    if new is None:
        return [(path, kinds.DELETE_REPLACE if replaces else kinds.DELETE)]
    return [(path, kinds.UPDATE_REPLACE if replaces else kinds.UPDATE)]
