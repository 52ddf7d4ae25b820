"""The TLS listener: which certificate a client gets, by the name that it asks for (SNI)."""

import base64
import binascii
import ssl
import tempfile
from pathlib import Path

from .store import Store

_MAX_CONTEXTS = 100


class Certificates:
    """Picks the certificate of the store's `snis`, or else the default one: kong/runloop/certificate.lua."""

    def __init__(self, store: Store, certificate: str, key: str) -> None:
        self._store = store
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self.context = self._load(certificate, key)
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        wanted = [name, f"*.{name.partition('.')[2]}", f"{name.rpartition('.')[0]}.*"] if name else []
        named = {row["name"]: row["certificate"]["id"] for row in self._store.list_rows("snis")}
        found = next((named[pattern] for pattern in [*wanted, "*"] if pattern in named), None)
        row = found and self._store.get("certificates", found)
        if row:
            connection.context = self._load(row["cert"], row["key"])

    def _load(self, certificate: str, key: str) -> ssl.SSLContext:
        if (certificate, key) not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.TemporaryDirectory() as folder:  # the ssl module reads certificates from files alone
                file = Path(folder, "certificate-and-key")
                file.write_text(f"{certificate}\n{key}")
                context.load_cert_chain(file)
            if len(self._contexts) == _MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[certificate, key] = context
        return self._contexts[certificate, key]


def decode_setting(value: str) -> str:
    """Return PEM that is given as it is or in base64, as Kong's `ssl_cert` and `ssl_cert_key` may be."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value
