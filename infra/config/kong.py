"""The config keys of the platform's Kong: its Admin API, and the names of the stack's entities in it."""

from dataclasses import dataclass
from typing import Self

import pulumi

from infra.config import parsers
from infra.config.reader import ConfigReader, as_output
from infra.config.urls import url


@dataclass(frozen=True, kw_only=True)
class KongNames:
    """The names of the stack's entities, which no other stack on the same Kong may use."""

    service: str
    route: str
    upstream: str

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        return cls(
            service=config.required("serviceName", parsers.entity_name),
            route=config.required("routeName", parsers.entity_name),
            upstream=config.required("upstreamName", parsers.upstream_name),
        )


@dataclass(frozen=True, kw_only=True)
class KongConfig:
    """The platform's Kong."""

    admin_url: str
    token: pulumi.Output[str] | None
    token_header: str
    adopt: bool
    names: KongNames

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        return cls(
            admin_url=config.required("kongAdminUrl", url("http", "https")),
            token=as_output(config.secret("kongAdminToken", parsers.header_value)),
            token_header=config.required("kongAdminTokenHeader", parsers.header_name),
            adopt=config.provider_flag("kong", "adopt"),
            names=KongNames.read(config),
        )
