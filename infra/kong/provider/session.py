"""The HTTP session of the Admin API: which CA it trusts, and what it authenticates with."""

import os
import ssl
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What the Admin API, or a proxy in front of it, demands. CA, certificate and key are in PEM."""

    token: str | None = None
    token_header: str = "Kong-Admin-Token"  # noqa: S105 - a header's name
    user: str | None = None
    password: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @classmethod
    def from_props(cls, config: Mapping[str, Any]) -> Self:
        """Take them from the provider's inputs."""
        return cls(
            token=config.get("token"),
            token_header=config.get("tokenHeader") or cls.token_header,
            user=config.get("user"),
            password=config.get("password"),
            ca=config.get("ca"),
            certificate=config.get("clientCertificate"),
            key=config.get("clientKey"),
        )

    def open_session(self) -> requests.Session:
        """Return a session that sends them. Raises `ssl.SSLError` for what is not PEM, or does not match."""
        session = requests.Session()
        session.trust_env = False  # no HTTP_PROXY: the Admin API is internal
        if not self.ca:
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True  # which trust_env would read
        adapter = _Adapter(self)
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        if self.user and self.password:
            pair = b64encode(f"{self.user}:{self.password}".encode()).decode()  # RFC 7617, in UTF-8
            session.headers["Authorization"] = f"Basic {pair}"
        if self.token:
            session.headers[self.token_header] = self.token
        return session

    def load_into(self, context: ssl.SSLContext) -> None:
        """Make a context trust the CA alone, and present the certificate."""
        if self.ca:
            context.load_verify_locations(cadata=self.ca)
        if self.certificate and self.key:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # OpenSSL reads them from a file only
                file.write(f"{self.certificate.strip()}\n{self.key.strip()}\n")
                file.flush()
                context.load_cert_chain(file.name)


class _Adapter(HTTPAdapter):
    """Connections with a TLS context of their own."""

    def __init__(self, credentials: Credentials) -> None:
        self._has_ca = bool(credentials.ca)
        self._context = create_urllib3_context()
        credentials.load_into(self._context)
        super().__init__(pool_maxsize=64)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def cert_verify(self, *args: Any) -> None:  # noqa: ANN401 - the base class's own
        """Leave the verification to the context if it has a CA: this would add those that requests trusts."""
        if not self._has_ca:
            super().cert_verify(*args)  # type: ignore[no-untyped-call] # the base class's own has no types
