"""The config keys in groups, each with its type and its limits. Pulumi.yaml's `config:` block describes them."""

from dataclasses import dataclass, field
from typing import Self

import pulumi

from infra.config import parsers
from infra.config.container_hosts import HostConfig
from infra.config.parsers import whole_number
from infra.config.reader import ConfigReader, as_output
from infra.config.urls import url

MEMORY_IN_CONTEXTS = 128
"""Each process holds up to 64 of the largest contexts (service/app.py), which may take half of its memory."""
CONNECT_MILLISECONDS = (100, 60_000)
READ_MILLISECONDS = (1_000, 3_600_000)
"""Kong accepts less. But a value of 20 means seconds, and few requests are answered in 20 milliseconds."""
MAX_RETRIES = 100
MAX_IMAGES = 1000
MAX_CONTEXT_BYTES = 64 * 2**20  # the service's own: service/settings.py
DEFAULT_MEMORY_MB = 512


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """The image: how it is built, or which existing one is deployed; and its registry."""

    base_image: str
    platform: str | None
    proxy: str | None
    package_index: str | None
    repository: str | None
    """The repository that the image is pushed to."""
    deployed: str | None
    """`repository@sha256:…` of an image that was built elsewhere."""
    registry_username: str | None
    registry_password: pulumi.Output[str] | None
    keep: int
    """How many images `make up` keeps on the engine."""

    @classmethod
    def read(cls, config: ConfigReader, host: HostConfig) -> Self:
        repository = config.optional("imageRepository", parsers.repository)
        deployed = config.optional("image", parsers.pinned_image)
        username = config.optional("registryUsername", parsers.header_value)
        password = config.secret("registryPassword", parsers.header_value)
        if repository and deployed:
            config.reject("image is already built, so nothing is pushed to imageRepository: set one of them")
        if not (repository or deployed) and host.registry_required and config.accepted("imageRepository", "image"):
            config.reject(f"imageRepository is missing, and so is image; {host.registry_required}")
        if config.accepted("registryUsername", "registryPassword") and bool(username) != bool(password):
            config.reject("registryUsername and registryPassword belong together: set both or neither")
        if username and not (repository or deployed) and config.accepted("image", "imageRepository"):
            config.reject("registryUsername requires imageRepository or image: set one of them")
        return cls(
            base_image=config.required("baseImage", parsers.image),
            platform=config.optional("platform", parsers.platform),
            proxy=config.optional("buildProxy", url("http", "https")),
            package_index=config.optional("packageIndex", url("http", "https")),
            repository=repository,
            deployed=deployed,
            registry_username=username,
            registry_password=as_output(password),
            keep=config.required("keepImages", whole_number(1, MAX_IMAGES)),
        )

    @property
    def registry(self) -> str | None:
        """The host and port of the image's registry; None if the image stays on the engine."""
        name = self.deployed or self.repository
        return name and name.partition("/")[0]


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The settings of the service itself: `service/settings.py`."""

    max_context_bytes: int
    sequence_service_url: str | None
    database_url: str | None = field(repr=False)

    @classmethod
    def read(cls, config: ConfigReader, host: HostConfig) -> Self:
        database_url = config.secret("databaseUrl", host.parse_database_url)
        if database_url is None and host.database_required and config.accepted("databaseUrl"):
            config.reject(f"databaseUrl is missing; {host.database_required}")
        memory_mb = host.resources.memory_mb if config.accepted("memory") else DEFAULT_MEMORY_MB
        processes = host.resources.processes if config.accepted("processes") else 1
        max_bytes = min(memory_mb * 2**20 // processes // MEMORY_IN_CONTEXTS, MAX_CONTEXT_BYTES)
        return cls(
            max_context_bytes=config.required("maxContextBytes", whole_number(1, max_bytes)),
            sequence_service_url=config.optional("sequenceServiceUrl", url("http", "https")),
            database_url=database_url,
        )


@dataclass(frozen=True, kw_only=True)
class TimeoutConfig:
    """How long the gateway waits for a container, and how often it retries."""

    connect_ms: int
    read_ms: int
    retries: int

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        return cls(
            connect_ms=config.required("connectTimeout", whole_number(*CONNECT_MILLISECONDS)),
            read_ms=config.required("readTimeout", whole_number(*READ_MILLISECONDS)),
            retries=config.required("retries", whole_number(0, MAX_RETRIES)),
        )
