"""The passphrase of the stacks of `make up`, which everyone can read: no other stack's secret may rely on it."""

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
ITERATIONS, KEY_BYTES = 1_000_000, 32  # as sdk/go/common/resource/config/crypt.go has them


def is_of_one_machine(config: Mapping[str, str]) -> bool:
    """Whether a stack's Kong and Route 53 are on this machine, as those of `make up` are."""
    urls = [value for key, value in config.items() if key.endswith(":kongAdminUrl")]
    endpoints = yaml.safe_load(config.get("aws:endpoints", "[]")) or []
    urls += [str(endpoint.get("route53", "")) for endpoint in endpoints if isinstance(endpoint, Mapping)]
    return len(urls) > 1 and all(map(_is_here, urls))


def _is_here(url: str) -> bool:
    with suppress(ValueError):  # of what is no URL, which the config's own checks refuse
        return urlsplit(url).hostname in ("127.0.0.1", "localhost")
    return False


def is_public(file: Path) -> bool:
    """Whether what a stack's file keeps is encrypted with the public passphrase."""
    salted = str((yaml.safe_load(file.read_text()) or {}).get("encryptionsalt", "")) if file.is_file() else ""
    if not salted:
        return False  # a key service, or Pulumi Cloud, encrypts it
    _, salt, _, nonce, sealed = salted.split(":")  # v1:SALT:v1:NONCE:SEALED, each but the versions in base64
    key = hashlib.pbkdf2_hmac("sha256", PUBLIC, b64decode(salt), ITERATIONS, KEY_BYTES)
    try:
        AESGCM(key).decrypt(b64decode(nonce), b64decode(sealed), None)
    except InvalidTag:
        return False
    return True
