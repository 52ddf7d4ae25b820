"""The one file that touches Pulumi's provider interface, which its SDK still marks experimental.

A provider is a table of resource types. Each type is a `Resource`, whose inputs and outputs are plain JSON
values; everything about gRPC, unknown values and the provider's life is dealt with here.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import grpc
from pulumi.provider.experimental import provider as pp
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

_Answer = TypeVar("_Answer")

Props = dict[str, Any]
"""JSON values by property name, with `UNKNOWN` for what a preview can't know yet."""

CALLS_AT_ONCE = 64
_MESSAGE_BYTES = 400 * 1024 * 1024  # what Pulumi's own plugins accept


UNKNOWN = rpc.UNKNOWN
"""Stands in a preview for a value that only an `up` will know. The engine sends it as this string."""


class PluginError(Exception):
    """What went wrong and what to do about it; shown to the user as it is."""


class InitFailedError(PluginError):
    """An object was made but doesn't work: it goes into the state, so that the next run can replace it."""

    def __init__(self, reason: str, object_id: str, outputs: Props) -> None:
        super().__init__(reason)
        self.object_id = object_id
        self.outputs = outputs


@dataclass(frozen=True)
class Failure:
    """One input that `check` refuses."""

    property: str
    reason: str


class Resource(ABC):
    """One resource type. All methods may block: each call has a thread of its own."""

    inputs: frozenset[str]
    """The names of all its inputs."""

    replaced_on: frozenset[str] = frozenset()
    """Inputs whose change makes a new object rather than an update."""

    def check(self, _urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every wrong input. `_old` is empty for a new resource."""
        return inputs, []

    def diff(self, state: Props, inputs: Props) -> set[str]:
        """The names of the inputs that differ from the recorded state."""
        return {name for name in self.inputs if state.get(name) != inputs.get(name)}

    @abstractmethod
    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Make the object (in a preview: only tell what is known of it); its id and outputs."""

    @abstractmethod
    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live object's id, outputs and inputs; None when it is gone. `state` is empty on import."""

    @abstractmethod
    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        """Change the object in place; its outputs."""

    @abstractmethod
    def delete(self, object_id: str, state: Props) -> None:
        """Remove the object. One that is gone already is no error."""


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


def _wrap_map(properties: Props) -> dict[str, PropertyValue]:
    return {name: wrap(value) for name, value in properties.items()}


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
            inputs=_wrap_map(inputs),
            failures=[pp.CheckFailure(failure.property, failure.reason) for failure in failures],
        )

    async def diff(self, request: pp.DiffRequest) -> pp.DiffResponse:
        resource = self._of(request.type)
        state, inputs = _plain_map(request.old_state), _plain_map(request.new_inputs)
        changed = sorted(resource.diff(state, inputs) - set(request.ignore_changes))
        return pp.DiffResponse(
            changes=bool(changed),
            replaces=[name for name in changed if name in resource.replaced_on],
            diffs=changed,
            detailed_diff={
                path: pp.PropertyDiff(kind, input_diff=False)
                for name in changed
                for path, kind in _details(
                    name, state.get(name), inputs.get(name), replaces=name in resource.replaced_on
                )
            },
        )

    async def invoke(self, request: pp.InvokeRequest) -> pp.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise PluginError(f"there is no function {request.tok}; there are {known}")
        return pp.InvokeResponse(_wrap_map(await asyncio.to_thread(function, _plain_map(request.args))))

    async def create(self, request: pp.CreateRequest) -> pp.CreateResponse:
        create = self._of(request.type).create
        properties = _plain_map(request.properties)
        object_id, outputs = await _within(
            request.timeout, partial(create, request.urn, properties, preview=request.preview)
        )
        return pp.CreateResponse(resource_id=object_id, properties=_wrap_map(outputs))

    async def read(self, request: pp.ReadRequest) -> pp.ReadResponse:
        found = await asyncio.to_thread(
            self._of(request.type).read, request.resource_id, _plain_map(request.properties)
        )
        if found is None:
            return pp.ReadResponse(resource_id="")
        object_id, outputs, inputs = found
        return pp.ReadResponse(object_id, _wrap_map(outputs), _wrap_map(inputs))

    async def update(self, request: pp.UpdateRequest) -> pp.UpdateResponse:
        update = self._of(request.type).update
        olds, news = _plain_map(request.olds), _plain_map(request.news)
        outputs = await _within(
            request.timeout, partial(update, request.resource_id, olds, news, preview=request.preview)
        )
        return pp.UpdateResponse(properties=_wrap_map(outputs))

    async def delete(self, request: pp.DeleteRequest) -> None:
        delete = self._of(request.type).delete
        await _within(request.timeout, partial(delete, request.resource_id, _plain_map(request.properties)))


async def _within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """What a call of its own thread returns, within the resource's `custom_timeouts`; 0 is without a limit."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(call), seconds or None)
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


def _init_failed(error: InitFailedError) -> bytes:
    """The status detail that tells the engine of an object which exists but failed to start."""
    outputs = PropertyValue.marshal_map(_wrap_map(error.outputs))
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.object_id, properties=outputs, reasons=[str(error)], inputs=outputs
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    return bytes(status.SerializeToString())


class _PlainErrors(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc has no types
    """Shows a `PluginError` as its message alone, without gRPC's words and class names around it."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        call = handler.unary_unary

        async def answer(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
            try:
                return await call(request, context)
            except InitFailedError as error:
                context.set_trailing_metadata((("grpc-status-details-bin", _init_failed(error)),))
                return await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except PluginError as error:
                return await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            cast("Any", answer), handler.request_deserializer, handler.response_serializer
        )


def end_with_engine(look_every: float = 0.5) -> None:
    """Let this process end at once when the engine says so, and when a look finds that the engine was killed."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(look_every)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(provider: Provider, version: str, *, look_every: float = 0.5) -> None:
    """Answer the engine until it ends; what Pulumi starts as a `pulumi-resource-…` process."""

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CALLS_AT_ONCE))
        server = grpc.aio.server(
            interceptors=[_PlainErrors()],
            options=[("grpc.max_receive_message_length", _MESSAGE_BYTES)],
        )
        servicer = ProviderServicer(sys.argv[1:], version, provider, engine_address=sys.argv[1])
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    end_with_engine(look_every)
    asyncio.run(run())
