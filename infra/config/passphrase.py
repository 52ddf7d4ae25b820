"""The public passphrase of the stacks of `make up`, which no other stack may encrypt secrets with."""

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PUBLIC = b"dev"
ITERATIONS, KEY_BYTES = 1_000_000, 32  # as in sdk/go/common/resource/config/crypt.go


def is_of_one_machine(config: Mapping[str, str]) -> bool:
    """Return whether a stack's Kong and Route 53 are on this machine, as those of `make up` are."""
    urls = [value for key, value in config.items() if key.endswith(":kongAdminUrl")]
    endpoints = yaml.safe_load(config.get("aws:endpoints", "[]")) or []
    urls += [str(endpoint.get("route53", "")) for endpoint in endpoints if isinstance(endpoint, Mapping)]
    return len(urls) > 1 and all(map(_is_local, urls))


def _is_local(url: str) -> bool:
    with suppress(ValueError):  # of an invalid URL, which the config's own checks reject
        return urlsplit(url).hostname in ("127.0.0.1", "localhost")
    return False


def is_public(file: Path) -> bool:
    """Return whether the secrets in a stack's file are encrypted with the public passphrase."""
    salted = str((yaml.safe_load(file.read_text()) or {}).get("encryptionsalt", "")) if file.is_file() else ""
    if not salted:
        return False  # encrypted by a key service or Pulumi Cloud
    _, salt, _, nonce, sealed = salted.split(":")  # v1:SALT:v1:NONCE:SEALED, all but the versions in base64
    key = hashlib.pbkdf2_hmac("sha256", PUBLIC, b64decode(salt), ITERATIONS, KEY_BYTES)
    try:
        AESGCM(key).decrypt(b64decode(nonce), b64decode(sealed), None)
    except InvalidTag:
        return False
    return True
