"""The certificate that the gateway shows: checked against its key, the hostname and the date before it is used."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def mistakes(certificate: str, key: str, hostname: str) -> list[str]:
    """What is wrong with a PEM certificate (its chain may follow) and its PEM key. No line repeats a secret."""
    wrong = []
    try:
        leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        return ["tlsCertificate must be one or more certificates in PEM"]
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        wrong.append("tlsKey must be a private key in PEM, without a passphrase")
    else:
        spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if private.public_key().public_bytes(*spki) != leaf.public_key().public_bytes(*spki):
            wrong.append("tlsKey is not the key of tlsCertificate")
    names = _names(leaf)
    if not any(_covers(name, hostname) for name in names):
        wrong.append(f"tlsCertificate is for {', '.join(names) or 'no host name'} and not for {hostname}")
    return wrong


def outdated(certificate: str) -> str | None:
    """Why the first certificate of a PEM is not valid today. What is no PEM is Kong's to judge."""
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
    """RFC 6125: a '*' stands for one label, the first."""
    if name.startswith("*."):
        return hostname.partition(".")[2] == name[2:].lower()
    return hostname == name.lower()
