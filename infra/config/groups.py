"""The config keys in groups, each with its type and its limits. Pulumi.yaml's `config:` block describes them."""

from dataclasses import dataclass
from typing import Self

import pulumi

from infra.config import parsers
from infra.config.container_hosts import HostConfig
from infra.config.parsers import boolean, one_of, whole_number
from infra.config.reader import ConfigReader, as_output
from infra.config.urls import url

MAX_TTL = 2**31 - 1  # RFC 2181, section 8
MAX_CONTEXT_BYTES = 4 * 2**20
"""A container's memory is fixed, and the service may hold 64 of the largest contexts in it."""
MAX_REQUESTS_PER_MINUTE = 10**9
CONNECT_MILLISECONDS = (100, 60_000)
READ_MILLISECONDS = (1_000, 3_600_000)
"""Kong accepts less. But a value of 20 means seconds, and few requests are answered in 20 milliseconds."""
MAX_RETRIES = 100
MAX_IMAGES = 1000


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """The A record."""

    hostname: str
    zone_id: str
    addresses: list[str]
    ttl: int
    adopt: bool

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        return cls(
            hostname=config.required("hostname", parsers.hostname),
            zone_id=config.required("hostedZoneId", parsers.zone_id),
            addresses=config.structured("gatewayAddresses", parsers.ipv4_addresses),
            ttl=config.required("ttl", whole_number(1, MAX_TTL)),
            adopt=config.required("adoptRecord", boolean),
        )


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
    database_url: pulumi.Output[str] | None

    @classmethod
    def read(cls, config: ConfigReader, host: HostConfig) -> Self:
        database_url = config.secret("databaseUrl", host.parse_database_url)
        if database_url is None and host.database_required and config.accepted("databaseUrl"):
            config.reject(f"databaseUrl is missing; {host.database_required}")
        return cls(
            max_context_bytes=config.required("maxContextBytes", whole_number(1, MAX_CONTEXT_BYTES)),
            sequence_service_url=config.optional("sequenceServiceUrl", url("http", "https")),
            database_url=as_output(database_url),
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


@dataclass(frozen=True, kw_only=True)
class AccessConfig:
    """Who may send which requests through the gateway."""

    plain_http: str
    requests_per_minute: int | None
    key_auth: bool
    consumers: dict[str, pulumi.Output[str]]
    """The consumers that this stack creates, each with its key."""
    platform_consumers: list[str]
    """The consumers that exist in the platform's Kong already."""
    certificate: pulumi.Output[str] | None
    certificate_key: pulumi.Output[str] | None

    @classmethod
    def read(cls, config: ConfigReader, hostname: str) -> Self:
        key_auth = config.required("keyAuth", boolean)
        consumers = config.secret_map("consumers", parsers.keys_by_consumer)
        platform_consumers = config.structured("platformConsumers", parsers.usernames)
        if config.accepted("keyAuth", "consumers", "platformConsumers"):
            has_consumers = bool(consumers or platform_consumers)
            if key_auth and not has_consumers:
                config.reject("keyAuth is true, but no client has a key: set consumers or platformConsumers")
            if has_consumers and not key_auth:
                config.reject("consumers have keys, but Kong does not check them: set keyAuth to true")
        certificate, key = _read_certificate(config, hostname)
        return cls(
            plain_http=config.required("plainHttp", one_of("serve", "redirect", "refuse")),
            requests_per_minute=config.optional("requestsPerMinute", whole_number(1, MAX_REQUESTS_PER_MINUTE)),
            key_auth=key_auth,
            consumers={name: pulumi.Output.secret(value) for name, value in consumers.items()},
            platform_consumers=platform_consumers,
            certificate=certificate,
            certificate_key=key,
        )


def _read_certificate(
    config: ConfigReader, hostname: str
) -> tuple[pulumi.Output[str] | None, pulumi.Output[str] | None]:
    certificate, key = config.key_pair("tlsCertificate", "tlsKey")
    if certificate and key and config.accepted("tlsCertificate", "tlsKey", "hostname"):
        from infra import tls  # loading cryptography takes a tenth of a preview's time

        if error := tls.hostname_error(certificate, hostname):
            config.reject(error)
    return as_output(certificate), as_output(key)
