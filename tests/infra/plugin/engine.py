"""Calls the Kong provider's process as Pulumi's engine does."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from infra.paths import ROOT
from infra.props import Props
from tests.infra.kong.entities import urn

PLUGIN = ROOT / "infra" / "kong" / "pulumi-resource-kong"


def to_struct(properties: Props) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def to_props(struct: struct_pb2.Struct) -> Props:
    return json_format.MessageToDict(struct)


def secret(value: object) -> Props:
    """Return a value as the provider marks it when it is secret."""
    return {_special_sig_key: _special_secret_sig, "value": value}


class Engine(engine_pb2_grpc.EngineServicer):
    """Starts the provider, and records the messages that it shows the user."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, str]] = []
        self._server = grpc.server(ThreadPoolExecutor(1))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.process = subprocess.Popen([PLUGIN, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.process.stdout.readline().strip()}")
        self.provider = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def Log(self, request: engine_pb2.LogRequest, _: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self.messages.append((request.severity, request.message))
        return empty_pb2.Empty()

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Stop the provider by a signal, and return its exit code."""
        self._channel.close()
        self.process.send_signal(sent)
        self.process.communicate(timeout=30)
        self._server.stop(None)
        return self.process.returncode

    def configure(self, **config: str) -> None:
        self.provider.Configure(provider_pb2.ConfigureRequest(args=to_struct(config), acceptSecrets=True))

    def check(self, kind: str, inputs: Props) -> provider_pb2.CheckResponse:
        request = provider_pb2.CheckRequest(**of(kind), news=to_struct(inputs))
        answer: provider_pb2.CheckResponse = self.provider.Check(request)
        return answer

    def create(
        self, kind: str, inputs: Props, *, preview: bool = False, timeout: float = 0
    ) -> provider_pb2.CreateResponse:
        properties = to_struct(inputs)
        request = provider_pb2.CreateRequest(**of(kind), properties=properties, preview=preview, timeout=timeout)
        answer: provider_pb2.CreateResponse = self.provider.Create(request)
        return answer

    def diff(self, kind: str, olds: Props, news: Props, *ignored: str) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            **of(kind), id="id", olds=to_struct(olds), news=to_struct(news), ignoreChanges=ignored
        )
        answer: provider_pb2.DiffResponse = self.provider.Diff(request)
        return answer

    def read(self, kind: str, object_id: str, properties: Props) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(**of(kind), id=object_id, properties=to_struct(properties))
        answer: provider_pb2.ReadResponse = self.provider.Read(request)
        return answer

    def update(
        self, kind: str, object_id: str, olds: Props, news: Props, *, preview: bool = False
    ) -> provider_pb2.UpdateResponse:
        request = provider_pb2.UpdateRequest(
            **of(kind), id=object_id, olds=to_struct(olds), news=to_struct(news), preview=preview
        )
        answer: provider_pb2.UpdateResponse = self.provider.Update(request)
        return answer

    def delete(self, kind: str, object_id: str, properties: Props) -> None:
        self.provider.Delete(
            provider_pb2.DeleteRequest(**of(kind), id=object_id, properties=to_struct(properties))
        )


class Name(TypedDict):
    """What names the resource in each request."""

    urn: str
    type: str
    name: str


def of(kind: str) -> Name:
    return {"urn": urn(kind, "one"), "type": f"kong:index:{kind}", "name": "one"}
