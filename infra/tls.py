"""Checks of certificates: that of the gateway, and that of this stack for the Admin API."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def pair_error(certificate: str, key: str, names: tuple[str, str]) -> str | None:
    """Return what is wrong with a PEM certificate (its chain may follow) or its PEM key; it repeats neither."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        return f"{names[0]} must be one or more certificates in PEM format"
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{names[1]} must be an unencrypted private key in PEM format"
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*spki) != leaf.public_key().public_bytes(*spki):
        return f"{names[1]} does not match {names[0]}"
    return None


def hostname_error(certificate: str, hostname: str) -> str | None:
    """Return for which names the first certificate is instead, if not for this one. Input must be PEM."""
    names = _names(x509.load_pem_x509_certificates(certificate.encode())[0])
    if any(_covers(name, hostname) for name in names):
        return None
    return f"tlsCertificate is for {', '.join(names) or 'no host name'}, not for {hostname}"


def validity_error(certificate: str) -> str | None:
    """Return why the first certificate is not valid today, if so. Input that is not PEM is left to Kong."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        return None
    now = datetime.now(UTC)
    if now > leaf.not_valid_after_utc:
        return f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if now < leaf.not_valid_before_utc:
        return f"the certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}"
    return None


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _covers(name: str, hostname: str) -> bool:
    """Match as RFC 6125 says: '*' stands for exactly one label, the first."""
    if name.startswith("*."):
        return hostname.partition(".")[2] == name[2:].lower()
    return hostname == name.lower()
