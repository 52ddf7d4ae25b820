"""The Docker engine behind the stand-in, and what its resource types share."""

import os
import secrets
import time
from collections.abc import Iterator

import docker
from docker.errors import DockerException

from infra.plugin import PluginError, Props, Resource

POLL_SECONDS = 0.1


class Engine:
    """The Docker engine that the provider is configured for, connected to when first used."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._client: docker.DockerClient | None = None

    def configure(self, config: Props) -> None:
        self._host = config.get("host") or os.environ.get("DOCKER_HOST")

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            where = self._host or "the default socket"
            try:
                client = docker.DockerClient(
                    base_url=self._host, use_ssh_client=(self._host or "").startswith("ssh://"), timeout=600
                )
                client.ping()
            except DockerException as error:
                raise PluginError(f"no Docker engine answers at {where}: {error}") from error
            self._client = client
        return self._client


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
