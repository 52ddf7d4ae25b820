"""The config keys of the platform's Kong: its Admin API, and the names of the stack's entities in it."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pulumi

from infra.config import parsers
from infra.config.parsers import InvalidValueError, whole_number
from infra.config.reader import ConfigReader, as_output
from infra.config.urls import url
from infra.paths import ROOT

CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
TIMEOUT_MILLISECONDS = (100, 300_000)


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
    timeout_ms: int | None
    """How long to wait for a connection and for each response; None for the defaults of each."""
    token: pulumi.Output[str] | None
    token_header: str
    user: str | None
    password: pulumi.Output[str] | None
    ca: str | None
    """The certificates of the only CAs to trust, in PEM."""
    client_certificate: pulumi.Output[str] | None
    client_key: pulumi.Output[str] | None
    adopt: bool
    names: KongNames

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        admin_url = config.required("kongAdminUrl", url("http", "https"))
        token = config.secret("kongAdminToken", parsers.header_value)
        token_header = config.required("kongAdminTokenHeader", parsers.header_name)
        user, password = config.optional("kongAdminUser", _user), config.secret("kongAdminPassword")
        if config.accepted("kongAdminUser", "kongAdminPassword") and bool(user) != bool(password):
            config.reject("kongAdminUser and kongAdminPassword belong together: set both or neither")
        if user and token and config.accepted("kongAdminTokenHeader") and token_header.lower() == "authorization":
            config.reject("kongAdminUser and kongAdminToken both set the header Authorization: set one of them")
        ca = config.optional("kongAdminCa", _ca)
        certificate, key = config.key_pair("kongAdminClientCertificate", "kongAdminClientKey")
        if (ca or certificate) and config.accepted("kongAdminUrl") and admin_url.startswith("http:"):
            config.reject("kongAdminUrl must start with https:// for kongAdminCa or a client certificate")
        return cls(
            admin_url=admin_url,
            timeout_ms=config.optional("kongAdminTimeout", whole_number(*TIMEOUT_MILLISECONDS)),
            token=as_output(token),
            token_header=token_header,
            user=user,
            password=as_output(password),
            ca=ca,
            client_certificate=as_output(certificate),
            client_key=as_output(key),
            adopt=config.provider_flag("kong", "adopt"),
            names=KongNames.read(config),
        )


def _user(value: str) -> str:
    """Accept the user name of basic authentication (RFC 7617)."""
    if ":" in value or not value.isprintable():
        raise InvalidValueError("must be printable, without ':', which ends the user name in basic authentication")
    return value


def _ca(value: str) -> str:
    """Accept certificates in PEM, or the path of a file with them, relative to the project's folder."""
    pem = value
    if "-----BEGIN" not in value:
        try:
            pem = (ROOT / Path(value).expanduser()).read_text()
        except (OSError, ValueError) as error:
            raise InvalidValueError(
                f"must be certificates in PEM format, or a file with them, and {value!r} can't be read: {error}"
            ) from error
    certificates = "\n".join(CERTIFICATE.findall(pem))  # without comments, which need not be ASCII
    try:
        ssl.create_default_context(cadata=certificates or "none")
    except (ssl.SSLError, TypeError) as error:
        raise InvalidValueError("contains no valid certificate in PEM format") from error
    return certificates
