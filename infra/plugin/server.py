"""The process that the Pulumi engine starts as a plugin: its gRPC server, and its end."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from infra.plugin.provider import Provider, wrap_map
from infra.plugin.resource import InitFailedError, PluginError

CALLS_AT_ONCE = 64
_MESSAGE_BYTES = 400 * 1024 * 1024  # what Pulumi's own plugins accept
_LOG_SECONDS = 5
_engine: list[str] = []  # its address, once it has started this process


def _init_failed(error: InitFailedError) -> bytes:
    """The status detail that tells the engine of an object which exists but failed to start."""
    outputs = PropertyValue.marshal_map(wrap_map(error.outputs))
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


class _Servicer(ProviderServicer):
    """The SDK's, but for one thing: of what is not there it would tell that it is, with no properties."""

    async def Read(  # noqa: N802 - gRPC's name
        self, request: provider_pb2.ReadRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> provider_pb2.ReadResponse:
        answer: provider_pb2.ReadResponse = await super().Read(request, context)  # type: ignore[no-untyped-call] # the SDK's has no types
        return answer if answer.id else provider_pb2.ReadResponse()


def warn(message: str) -> None:
    """Show the user a warning."""
    _log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=message))


def inform(message: str, urn: str) -> None:
    """Show the user a message about a resource."""
    _log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn))


def _log(request: engine_pb2.LogRequest) -> None:
    """Hand a message to the engine; a process that no engine has started writes it on standard error."""
    if not _engine:
        sys.stderr.write(f"{engine_pb2.LogSeverity.Name(request.severity).lower()}: {request.message}\n")
        return
    with grpc.insecure_channel(_engine[0]) as channel:
        engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_LOG_SECONDS)


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
        servicer = _Servicer(sys.argv[1:], version, provider, engine_address=sys.argv[1])
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    _engine.append(sys.argv[1])
    end_with_engine(look_every)
    asyncio.run(run())
