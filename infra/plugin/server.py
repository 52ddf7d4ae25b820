"""The process that the Pulumi engine starts as a plugin: its gRPC server, and its end."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, cast

import grpc

from infra.plugin.protocol import engine_pb2, engine_pb2_grpc, provider_pb2_grpc
from infra.plugin.provider import Offer, Provider
from infra.plugin.resource import PluginError

MAX_CONCURRENT_CALLS = 64
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024  # as Pulumi's own plugins have it
_LOG_TIMEOUT_SECONDS = 5
_engine: list[str] = []  # its address, once it has started this process


class _PlainErrors(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc has no types
    """Returns a `PluginError` as its message only, without the class names that gRPC adds."""

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
            except PluginError as error:
                context.set_trailing_metadata(tuple(error.metadata))
                return await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            cast("Any", answer), handler.request_deserializer, handler.response_serializer
        )


def log(severity: Literal["INFO", "WARNING"], message: str, urn: str = "") -> None:
    """Show the user a message, of a resource if a URN is given. Without an engine, write it to standard error."""
    if not _engine:
        sys.stderr.write(f"{severity.lower()}: {message}\n")
        return
    request = engine_pb2.LogRequest(severity=engine_pb2.LogSeverity.Value(severity), message=message, urn=urn)
    with grpc.insecure_channel(_engine[0]) as channel:
        engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_LOG_TIMEOUT_SECONDS)


def warn(message: str) -> None:
    """Show the user a warning."""
    log("WARNING", message)


def exit_with_engine(poll_seconds: float = 0.5) -> None:
    """Exit this process when the engine asks for it, or when a poll finds that the engine was killed."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll_seconds)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(version: str, load: Callable[[], Offer], *, poll_seconds: float = 0.5) -> None:
    """Serve the engine that started this process as `pulumi-resource-…`, until it ends."""

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MAX_CONCURRENT_CALLS))
        server = grpc.aio.server(
            interceptors=[_PlainErrors()],
            options=[("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)],
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(version, load), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    _engine.append(sys.argv[1])
    exit_with_engine(poll_seconds)
    asyncio.run(run())
