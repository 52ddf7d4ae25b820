"""The stack's config: what can be set, and what goes together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as runtime

from infra.config.parsers import (
    database_url,
    header_name,
    header_value,
    hostname,
    image,
    ipv4_addresses,
    keys_by_consumer,
    network,
    one_of,
    platform,
    switch,
    url,
    usernames,
    whole_number,
    zone_id,
)
from infra.config.passphrase import is_of_one_machine, is_public
from infra.config.reader import ConfigReader
from infra.host.docker import DATA
from infra.project import ROOT

MAX_TTL = 2**31 - 1  # RFC 2181, section 8
MAX_REPLICAS = 16
MAX_CONTEXT_BYTES = 4 * 2**20
"""A container's memory is fixed, and the service may hold 64 of the largest contexts in it."""
MAX_REQUESTS_PER_MINUTE = 10**9
CONNECT_MILLISECONDS = (100, 60_000)
READ_MILLISECONDS = (1_000, 3_600_000)
"""Kong takes less. But who writes 20 means seconds, and in 20 milliseconds little would be answered."""
MAX_RETRIES = 100
PLAIN_HTTP = ("serve", "redirect", "refuse")


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What a stack can set. Pulumi.yaml's `config:` block says what each is for."""

    hostname: str
    hosted_zone_id: str
    gateway_addresses: list[str]
    ttl: int
    kong_admin_url: str
    kong_admin_token: pulumi.Output[str] | None
    kong_admin_token_header: str
    adopt_in_kong: bool
    container_host: str
    docker_host: str | None
    network: str
    replicas: int
    base_image: str
    platform: str | None
    sequence_service_url: str | None
    database_url: pulumi.Output[str] | None
    max_context_bytes: int
    key_auth: bool
    consumers: dict[str, pulumi.Output[str]]
    platform_consumers: list[str]
    requests_per_minute: int | None
    connect_timeout: int
    read_timeout: int
    retries: int
    plain_http: str
    tls_certificate: pulumi.Output[str] | None
    tls_key: pulumi.Output[str] | None
    adopt_record: bool
    protect: bool


def load() -> StackConfig:
    """The config of the stack that runs. Raises `pulumi.RunError` with all that is wrong or missing."""
    read = ConfigReader()
    values = _name(read) | _containers(read) | _gateway(read)
    values |= _certificate(read, values["hostname"])
    given = runtime.CONFIG.get()
    read.reject_unknown_keys(given)
    if any(map(runtime.is_config_secret, given)) and not is_of_one_machine(given) and is_public(_file()):
        read.wrong.append(
            "encryptionsalt was made with the public passphrase of `make up`, so anyone can decrypt the secrets: "
            "choose another with `pulumi stack change-secrets-provider passphrase`, then set new values"
        )
    if read.wrong:
        lines = "\n".join(f"  - {line}" for line in read.wrong)
        raise pulumi.RunError(
            f"the config of stack {pulumi.get_stack()} needs mending in {_file().name}:\n{lines}"
        )
    return StackConfig(**values)


def _file() -> Path:
    return ROOT / f"Pulumi.{pulumi.get_stack()}.yaml"


def _name(read: ConfigReader) -> dict[str, Any]:
    return {
        "hostname": read.text("hostname", hostname, missing="set it"),
        "hosted_zone_id": read.text(
            "hostedZoneId", zone_id, missing="set the Route 53 zone that the hostname lies in"
        ),
        "gateway_addresses": read.listed("gatewayAddresses", ipv4_addresses),
        "ttl": read.text("ttl", whole_number(1, MAX_TTL), missing="set it"),
        "adopt_record": read.text("adoptRecord", switch, missing="set true or false"),
        "protect": read.text("protect", switch, missing="set true or false"),
    }


def _containers(read: ConfigReader) -> dict[str, Any]:
    return {
        "container_host": read.text("containerHost", one_of("docker"), missing="set it"),
        "docker_host": read.text("dockerHost", url("ssh", "tcp", "unix", "npipe")),
        "network": read.text("network", network, missing="set the Docker network that the gateway is in"),
        "replicas": read.text("replicas", whole_number(1, MAX_REPLICAS), missing="set it"),
        "base_image": read.text("baseImage", image, missing="set it"),
        "platform": read.text("platform", platform),
        "sequence_service_url": read.text("sequenceServiceUrl", url("http", "https")),
        "database_url": _hidden(read.secret("databaseUrl", database_url(DATA))),
        "max_context_bytes": read.text(
            "maxContextBytes", whole_number(1, MAX_CONTEXT_BYTES), missing="set the largest context"
        ),
    }


def _gateway(read: ConfigReader) -> dict[str, Any]:
    key_auth = read.text("keyAuth", switch, missing="set true or false")
    consumers = read.secrets("consumers", keys_by_consumer)
    platform_consumers = read.listed("platformConsumers", usernames)
    named = consumers or platform_consumers
    if key_auth and not named and not any(map(read.has_refused, ("consumers", "platformConsumers"))):
        read.wrong.append("consumers is missing, and so is platformConsumers: keyAuth lets nobody in without one")
    if named and key_auth is False:
        read.wrong.append("keyAuth is false, so the keys of consumers would guard nothing: set it to true")
    return {
        "kong_admin_url": read.text(
            "kongAdminUrl", url("http", "https"), missing="set where Kong's Admin API answers"
        ),
        "kong_admin_token": _hidden(read.secret("kongAdminToken", header_value)),
        "adopt_in_kong": read.adopts_in_kong(),
        "kong_admin_token_header": read.text("kongAdminTokenHeader", header_name, missing="set it"),
        "key_auth": key_auth,
        "consumers": {name: pulumi.Output.secret(key) for name, key in consumers.items()},
        "platform_consumers": platform_consumers,
        "requests_per_minute": read.text("requestsPerMinute", whole_number(1, MAX_REQUESTS_PER_MINUTE)),
        "connect_timeout": read.text(
            "connectTimeout", whole_number(*CONNECT_MILLISECONDS), missing="set milliseconds"
        ),
        "read_timeout": read.text("readTimeout", whole_number(*READ_MILLISECONDS), missing="set milliseconds"),
        "retries": read.text("retries", whole_number(0, MAX_RETRIES), missing="set a number"),
        "plain_http": read.text("plainHttp", one_of(*PLAIN_HTTP), missing="set it"),
    }


def _certificate(read: ConfigReader, hostname: str | None) -> dict[str, Any]:
    certificate, key = read.secret("tlsCertificate"), read.secret("tlsKey")
    if certificate and key and hostname:
        from infra import tls  # cryptography takes as long to load as a tenth of a preview

        read.wrong += tls.mistakes(certificate, key, hostname)
    elif certificate or key:
        read.wrong.append("tlsCertificate and tlsKey go together: set both or neither")
    return {"tls_certificate": _hidden(certificate), "tls_key": _hidden(key)}


def _hidden(value: str | None) -> pulumi.Output[str] | None:
    return None if value is None else pulumi.Output.secret(value)
