"""A provider made of `Resource` types, which the Pulumi engine calls over gRPC.

The types work on plain JSON values: unknown values, secrets and detailed diffs are handled here.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event
from typing import Any, NamedTuple, TypeVar

from google.protobuf.empty_pb2 import Empty

from infra.plugin.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc
from infra.plugin.resource import PluginError, Resource
from infra.plugin.values import to_props, to_struct
from infra.props import Props

_Answer = TypeVar("_Answer")
CANCELLED = Event()
"""Set when the user interrupts the run."""


def pause(seconds: float) -> None:
    """Wait. Raises `PluginError` when the user interrupts the run."""
    if CANCELLED.wait(seconds):
        raise PluginError("interrupted; run the same command again")


class Offer(NamedTuple):
    """What a provider offers to programs."""

    resources: Mapping[str, Resource]
    functions: Mapping[str, Callable[[Props], Props]]
    configure: Callable[[Props], None]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Dispatches each call of the engine to its resource type; created in the event loop that serves it.

    The engine starts one plugin after the other, each once the one before has checked its config. So what is
    offered is loaded, with all that it imports, while the first calls are answered.
    """

    def __init__(self, version: str, load: Callable[[], Offer]) -> None:
        self._version = version
        self._offer = asyncio.create_task(asyncio.to_thread(load))

    async def _get_type(self, qualified_type: str) -> Resource:
        resource_type = qualified_type.rpartition("$")[2]  # without the types of its parents
        resources = (await self._offer).resources
        try:
            return resources[resource_type]
        except KeyError:
            known = ", ".join(sorted(resources))
            raise PluginError(f"unknown resource type {resource_type}; known types: {known}") from None

    async def GetPluginInfo(self, _request: Empty, _: object) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    async def Cancel(self, _request: Empty, _: object) -> Empty:
        CANCELLED.set()
        return Empty()

    async def CheckConfig(self, request: provider_pb2.CheckRequest, _: object) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: provider_pb2.DiffRequest, _: object) -> provider_pb2.DiffResponse:
        old, new = to_props(request.olds), to_props(request.news)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        # Never a replacement: that would delete and recreate all entities when the same Kong gets another address.
        return _describe_diff(changed)

    async def Configure(self, request: provider_pb2.ConfigureRequest, _: object) -> provider_pb2.ConfigureResponse:
        await asyncio.to_thread((await self._offer).configure, to_props(request.args))
        # Without acceptSecrets the engine sends secrets unwrapped, and marks the same properties of the response.
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    async def Check(self, request: provider_pb2.CheckRequest, _: object) -> provider_pb2.CheckResponse:
        resource = await self._get_type(request.type)
        news, olds = to_props(request.news), to_props(request.olds)
        inputs, failures = await asyncio.to_thread(resource.check, request.urn, news, olds)
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs, resource.secrets),
            failures=[
                provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures
            ],
        )

    async def Diff(self, request: provider_pb2.DiffRequest, _: object) -> provider_pb2.DiffResponse:
        resource = await self._get_type(request.type)
        state, inputs = resource.recorded(to_props(request.olds)), to_props(request.news)
        changed = sorted(resource.diff(state, inputs) - set(request.ignoreChanges))
        keeps_id = resource.keeps_id(request.urn, request.id, inputs)
        replaces = [name for name in changed if name in resource.replace_on_changes and not keeps_id]
        details = {
            path: provider_pb2.PropertyDiff(kind=kind)
            for name in changed
            for path, kind in _diff_details(name, state.get(name), inputs.get(name), replaces=name in replaces)
        }
        return _describe_diff(
            changed,
            replaces=replaces,
            deleteBeforeReplace=resource.delete_before_replace,
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    async def Invoke(self, request: provider_pb2.InvokeRequest, _: object) -> provider_pb2.InvokeResponse:
        functions = (await self._offer).functions
        function = functions.get(request.tok)
        if function is None:
            known = ", ".join(sorted(functions)) or "none"
            raise PluginError(f"unknown function {request.tok}; known functions: {known}")
        returned = await asyncio.to_thread(function, to_props(request.args))
        answer = provider_pb2.InvokeResponse()
        getattr(answer, "return").CopyFrom(to_struct(returned))  # a keyword of Python
        return answer

    async def Create(self, request: provider_pb2.CreateRequest, _: object) -> provider_pb2.CreateResponse:
        resource = await self._get_type(request.type)
        create = partial(resource.create, request.urn, to_props(request.properties), preview=request.preview)
        object_id, outputs = await _run(create, request.timeout)
        return provider_pb2.CreateResponse(id=object_id, properties=to_struct(outputs, resource.secrets))

    async def Read(self, request: provider_pb2.ReadRequest, _: object) -> provider_pb2.ReadResponse:
        resource = await self._get_type(request.type)
        found = await asyncio.to_thread(resource.read, request.id, to_props(request.properties))
        if found is None:
            return provider_pb2.ReadResponse()
        object_id, outputs, inputs = found
        return provider_pb2.ReadResponse(
            id=object_id,
            properties=to_struct(outputs, resource.secrets),
            inputs=to_struct(inputs, resource.secrets),
        )

    async def Update(self, request: provider_pb2.UpdateRequest, _: object) -> provider_pb2.UpdateResponse:
        resource = await self._get_type(request.type)
        olds, news = to_props(request.olds), to_props(request.news)
        update = partial(resource.update, request.id, olds, news, preview=request.preview)
        outputs = await _run(update, request.timeout)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs, resource.secrets))

    async def Delete(self, request: provider_pb2.DeleteRequest, _: object) -> Empty:
        resource = await self._get_type(request.type)
        await _run(partial(resource.delete, request.id, to_props(request.properties)), request.timeout)
        return Empty()


async def _run(call: Callable[[], _Answer], timeout: float) -> _Answer:  # noqa: ASYNC109 - a thread can't be cancelled
    """Run a call in a thread, within the resource's `custom_timeouts` in seconds; the engine sends 0 for none."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(call), timeout or None)
    except TimeoutError:
        raise PluginError(f"timed out after {timeout:.0f} s, the custom timeout of the resource") from None


def _describe_diff(changed: list[str], **details: Any) -> provider_pb2.DiffResponse:  # noqa: ANN401 - of any field
    response = provider_pb2.DiffResponse
    return response(changes=response.DIFF_SOME if changed else response.DIFF_NONE, diffs=changed, **details)


def _diff_details(
    path: str, old: object, new: object, *, replaces: bool
) -> "list[tuple[str, provider_pb2.PropertyDiff.Kind.ValueType]]":
    """Return the path of each leaf that differs below a property, for the engine to print."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            detail
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
            for detail in _diff_details(f"{path}.{key}", old.get(key), new.get(key), replaces=replaces)
        ]
    kinds = provider_pb2.PropertyDiff
    if old is None:
        return [(path, kinds.ADD_REPLACE if replaces else kinds.ADD)]
    if new is None:
        return [(path, kinds.DELETE_REPLACE if replaces else kinds.DELETE)]
    return [(path, kinds.UPDATE_REPLACE if replaces else kinds.UPDATE)]
