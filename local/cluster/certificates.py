"""The cluster's own certificate authority, and a kubeconfig for each of its clients."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.cluster.layout import API_SERVER, CONTEXT

DAYS = 365


class Authority:
    """Issues certificates that are files in a folder: NAME.crt and NAME.key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "session-context-cluster")])
        certificate = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._write("ca", certificate.sign(self._key, SHA256()), self._key)

    def issue(
        self, name: str, *, user: str, groups: tuple[str, ...] = (), addresses: tuple[str, ...] = ()
    ) -> None:
        """Issue a certificate of a user in some groups; of a server, for its addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([
            x509.NameAttribute(NameOID.COMMON_NAME, user),
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
        ])  # fmt: skip
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = self._builder(subject, key).add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if addresses:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            certificate = certificate.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._write(name, certificate.sign(self._key, SHA256()), key)

    def issue_kubeconfig(self, file: Path, *, user: str, groups: tuple[str, ...]) -> None:
        """Issue a certificate and write the kubeconfig that uses it, with all of it inside."""
        self.issue(file.stem, user=user, groups=groups)
        write_kubeconfig(file, user, self._folder, file.stem)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=DAYS),
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self._folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        file = self._folder / f"{name}.key"
        file.touch(mode=0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write_kubeconfig(file: Path, user: str, folder: Path, name: str) -> None:
    """Write the kubeconfig of a user whose certificate is in a folder under a name."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"server": API_SERVER, "certificate-authority": str(folder / "ca.crt")},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate": str(folder / f"{name}.crt"),
                    "client-key": str(folder / f"{name}.key"),
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
        "current-context": CONTEXT,
    }
    file.write_text(yaml.safe_dump(config))
