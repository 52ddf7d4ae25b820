"""Placeholders for the secrets whose content the config checks; any text will do for the others."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def placeholders(hostname: str) -> dict[str, str]:
    """Return them by config key. The certificate is for the hostname, is valid today, and is stored nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    now, day = datetime.now(UTC), timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, now - day, now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(hostname if hostname.isascii() else "")]), critical=True
        )
        .sign(key, SHA256())
    )
    certificate_pem = certificate.public_bytes(Encoding.PEM).decode()
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "databaseUrl": "postgresql://placeholder/placeholder",
        "kongAdminClientCertificate": certificate_pem,
        "kongAdminClientKey": key_pem,
        "tlsCertificate": certificate_pem,
        "tlsKey": key_pem,
    }
