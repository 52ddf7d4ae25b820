"""The config keys that decide who may send which requests through the gateway."""

from dataclasses import dataclass
from typing import Self

import pulumi

from infra.config import parsers
from infra.config.parsers import InvalidValueError, boolean, one_of, whole_number
from infra.config.reader import ConfigReader, as_output

MAX_REQUESTS_PER_MINUTE = 10**9
_requests_per_minute = whole_number(1, MAX_REQUESTS_PER_MINUTE)


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
    platform_groups: list[str]
    """The acl groups of the platform's Kong whose consumers are admitted too."""
    consumer_limits: dict[str, int]
    """The requests per minute of consumers that this stack creates, in place of the general limit."""
    addresses: list[str]
    """The addresses and networks of the only clients that are admitted; empty for all."""
    cors_origins: list[str]
    """The origins whose pages may call from a browser."""
    certificate: pulumi.Output[str] | None
    certificate_key: pulumi.Output[str] | None

    @classmethod
    def read(cls, config: ConfigReader, hostname: str) -> Self:
        key_auth = config.required("keyAuth", boolean)
        consumers = config.secret_map("consumers", parsers.keys_by_consumer)
        platform_consumers = config.structured("platformConsumers", parsers.usernames)
        platform_groups = config.structured("platformGroups", parsers.groups)
        if config.accepted("keyAuth", "consumers", "platformConsumers", "platformGroups"):
            has_consumers = bool(consumers or platform_consumers or platform_groups)
            if key_auth and not has_consumers:
                config.reject(
                    "keyAuth is true, but no client has a key: set consumers, platformConsumers or platformGroups"
                )
            if has_consumers and not key_auth:
                given = {"consumers": consumers, "platformConsumers": platform_consumers}
                named = next((name for name, value in given.items() if value), "platformGroups")
                config.reject(f"{named} have keys, but Kong does not check them: set keyAuth to true")
        consumer_limits = config.structured("consumerRequestsPerMinute", _limits_by_consumer)
        if config.accepted("consumers", "consumerRequestsPerMinute") and (
            unknown := sorted(consumer_limits.keys() - consumers.keys())
        ):
            config.reject(
                f"consumerRequestsPerMinute names {', '.join(unknown)}, which consumers does not; whoever manages "
                "platformConsumers limits those"
            )
        certificate, key = _read_certificate(config, hostname)
        return cls(
            plain_http=config.required("plainHttp", one_of("serve", "redirect", "refuse")),
            requests_per_minute=config.optional("requestsPerMinute", _requests_per_minute),
            key_auth=key_auth,
            consumers={name: pulumi.Output.secret(value) for name, value in consumers.items()},
            platform_consumers=platform_consumers,
            platform_groups=platform_groups,
            consumer_limits=consumer_limits,
            addresses=config.structured("allowedAddresses", parsers.networks),
            cors_origins=config.structured("corsOrigins", parsers.origins),
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


def _limits_by_consumer(value: object) -> dict[str, int]:
    """Accept a map from consumer names to requests per minute."""
    if not isinstance(value, dict):
        raise InvalidValueError("must be a map from consumer names to requests per minute")
    return {name: _requests_per_minute(str(limit)) for name, limit in value.items()}
