"""The connection to the Docker engine, and what the resource types share."""

import os
import secrets
import threading
import time
from collections.abc import Iterator

import docker
import grpc
from docker.errors import DockerException

from infra.plugin import PluginError, Resource
from infra.plugin.protocol import provider_pb2, status_pb2
from infra.plugin.values import to_struct
from infra.props import Props
from offline.docker_plugin.registry import Registries
from offline.docker_plugin.tunnel import open_tunnel

POLL_SECONDS = 0.1


class InitFailedError(PluginError):
    """An object was created but does not work: Pulumi keeps it in the state, for the next run to replace."""

    def __init__(self, reason: str, object_id: str, outputs: Props) -> None:
        super().__init__(reason)
        properties = to_struct(outputs)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=object_id, properties=properties, reasons=[reason], inputs=properties
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
        status.details.add().Pack(detail)
        self.metadata = (("grpc-status-details-bin", bytes(status.SerializeToString())),)


class EngineClient:
    """A client of the Docker engine that the provider is configured for."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._client: docker.DockerClient | None = None
        self._connecting = threading.Lock()
        self.registries = Registries()

    def configure(self, config: Props) -> None:
        """Connect at once, as the plugin does; over `ssh` at the first use, to save a login."""
        if context := config.get("context", os.environ.get("DOCKER_CONTEXT")):
            raise PluginError(
                f"the stand-in supports no Docker contexts, such as {context}. Set DOCKER_HOST instead."
            )
        self.registries.configure(config)
        self._host = config.get("host") or os.environ.get("DOCKER_HOST")
        if not (self._host or "").startswith("ssh://"):
            self._client = self._connect()

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            with self._connecting:
                self._client = self._client or self._connect()
        return self._client

    def _connect(self) -> docker.DockerClient:
        host = self._host or "the default socket"
        url = open_tunnel(host) if host.startswith("ssh://") else self._host
        try:
            client = docker.DockerClient(base_url=url, timeout=600)
            client.ping()
        except DockerException as error:
            raise PluginError(f"no Docker engine answers at {host}: {error}") from error
        return client


class DockerResource(Resource):
    """A resource type of the engine; it generates names where none is given."""

    def __init__(self, engine: EngineClient) -> None:
        self.engine = engine

    def add_name(self, urn: str, inputs: Props, old: Props) -> Props:
        """Return the inputs with a name: the old one, or the logical name and seven hexadecimal digits."""
        if inputs.get("name"):
            return inputs
        return inputs | {"name": old.get("name") or f"{urn.rpartition('::')[2]}-{secrets.token_hex(4)[:7]}"}


def attempts(seconds: float) -> Iterator[None]:
    """Yield ten times a second until the time is over."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        yield


def convert_labels(inputs: Props) -> dict[str, str]:
    """Return the labels in the form of Docker's API."""
    return {item["label"]: item["value"] for item in inputs.get("labels", [])}
