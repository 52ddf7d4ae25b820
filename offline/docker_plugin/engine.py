"""The Docker engine behind the stand-in, and what its resource types share."""

import os
import secrets
import threading
import time
from collections.abc import Iterator

import docker
import grpc
from docker.errors import DockerException
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.proto import provider_pb2, status_pb2

from infra.plugin import PluginError, Resource
from infra.plugin.provider import from_props
from infra.props import Props
from offline.docker_plugin.registry import Registries
from offline.docker_plugin.tunnel import opened

POLL_SECONDS = 0.1


class InitFailedError(PluginError):
    """An object was created but does not work: the engine keeps it in the state, for the next run to replace."""

    def __init__(self, reason: str, object_id: str, outputs: Props) -> None:
        super().__init__(reason)
        properties = PropertyValue.marshal_map(from_props(outputs))
        detail = provider_pb2.ErrorResourceInitFailed(
            id=object_id, properties=properties, reasons=[reason], inputs=properties
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
        status.details.add().Pack(detail)
        self.metadata = (("grpc-status-details-bin", bytes(status.SerializeToString())),)


class Engine:
    """The Docker engine that the provider is configured for."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._client: docker.DockerClient | None = None
        self._connecting = threading.Lock()
        self.registries = Registries()

    def configure(self, config: Props) -> None:
        """Connect at once, as the plugin does; over `ssh` when first used, to save a login."""
        if context := config.get("context", os.environ.get("DOCKER_CONTEXT")):
            raise PluginError(f"the stand-in knows no contexts, so not {context}: set DOCKER_HOST instead")
        self.registries.configure(config)
        self._host = config.get("host") or os.environ.get("DOCKER_HOST")
        if not (self._host or "").startswith("ssh://"):
            self._client = self._connected()

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            with self._connecting:
                self._client = self._client or self._connected()
        return self._client

    def _connected(self) -> docker.DockerClient:
        where = self._host or "the default socket"
        url = opened(where) if where.startswith("ssh://") else self._host
        try:
            client = docker.DockerClient(base_url=url, timeout=600)
            client.ping()
        except DockerException as error:
            raise PluginError(f"no Docker engine answers at {where}: {error}") from error
        return client


class DockerResource(Resource):
    """What the three types share: an engine, and names that are made up where none is given."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def named(self, urn: str, inputs: Props, old: Props) -> Props:
        """The inputs with a name: kept from the old ones, or the logical name and seven hexadecimal digits."""
        if inputs.get("name"):
            return inputs
        return inputs | {"name": old.get("name") or f"{urn.rpartition('::')[2]}-{secrets.token_hex(4)[:7]}"}


def until(seconds: float) -> Iterator[None]:
    """Ten times a second until the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)


def labels_of(inputs: Props) -> dict[str, str]:
    """The labels as Docker has them."""
    return {item["label"]: item["value"] for item in inputs.get("labels", [])}
