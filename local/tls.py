"""HTTPS on this machine: the gateway's own certificate, and what a client must trust to use it."""

import base64
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter

from local.workspace import STATE, Workspace

FOLDER = STATE / "tls"
DAYS, RENEWED_DAYS = 397, 30
TIMEOUT_SECONDS = 5


def gateway_settings(workspace: Workspace, hostname: str) -> dict[str, str]:
    """Return Kong's settings with its default certificate, self-signed, created or renewed where necessary.

    It is for the names below the hostname too, those of stacks that share the platform: another certificate would
    restart the gateway. The settings are contents, not files: the engine may be in a virtual machine without this
    folder.
    """
    file, key_file = FOLDER / f"{workspace.owner}.pem", FOLDER / f"{workspace.owner}.key"
    if not (file.is_file() and key_file.is_file() and _is_usable(file, hostname)):
        FOLDER.mkdir(parents=True, exist_ok=True)
        earlier = _read_names(file) if file.is_file() else []
        certificate, key = _create([*dict.fromkeys([hostname, f"*.{hostname}", "localhost", *earlier])])
        key_file.touch(mode=0o600)
        key_file.write_bytes(key)
        file.write_bytes(certificate)
    contents = {"KONG_SSL_CERT": file, "KONG_SSL_CERT_KEY": key_file}
    return {name: base64.b64encode(content.read_bytes()).decode() for name, content in contents.items()}


def _is_usable(file: Path, hostname: str) -> bool:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    wildcard = f"*.{hostname.partition('.')[2]}"
    return not {hostname, wildcard}.isdisjoint(_read_names(file)) and remaining_days(certificate) > RENEWED_DAYS


def _read_names(file: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def _create(hostnames: list[str]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "session-context on this machine")])
    names = [*map(x509.DNSName, hostnames), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # It signs nothing else: a client that trusts it trusts this machine's gateway alone.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def remaining_days(certificate: x509.Certificate) -> int:
    """Return how many whole days a certificate is still valid."""
    return (certificate.not_valid_after_utc - datetime.now(UTC)).days


def read_presented(workspace: Workspace, hostname: str) -> x509.Certificate:
    """Return the certificate that the gateway presents for the hostname. Raises `OSError`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is looked at, and nothing is sent
    with (
        socket.create_connection(("127.0.0.1", workspace.tls_port), TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=hostname) as connection,
    ):
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def write_trusted(workspace: Workspace, hostname: str) -> Path:
    """Write the certificate that the gateway presents, for clients to trust; return the file. Raises `OSError`.

    It is the gateway's own, or the stack's `tlsCertificate`, whose authority this machine may not know.
    """
    file = FOLDER / f"{workspace.stack}-presented.pem"
    file.write_bytes(read_presented(workspace, hostname).public_bytes(Encoding.PEM))
    return file


def open_session(workspace: Workspace, hostname: str) -> requests.Session:
    """Return a session for `Workspace.tls_url` that requires the hostname's certificate. Raises `OSError`."""
    context = ssl.create_default_context(cafile=str(write_trusted(workspace, hostname)))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as curl: what is trusted need not be an authority
    session = requests.Session()
    session.mount("https://127.0.0.1", _Adapter(context, hostname))
    return session


class _Adapter(HTTPAdapter):
    """Connects to an address, but asks for the certificate of a hostname, as `curl --resolve` does."""

    def __init__(self, context: ssl.SSLContext, hostname: str) -> None:
        self._context, self._hostname = context, hostname
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:  # noqa: ANN401 - requests' signature
        super().init_poolmanager(
            connections,
            maxsize,
            block,
            ssl_context=self._context,
            server_hostname=self._hostname,
            assert_hostname=self._hostname,
        )
