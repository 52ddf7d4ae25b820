"""Secrets encrypted with the public passphrase: accepted in a stack of one machine, rejected in any other."""

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.config.passphrase import is_public
from infra.paths import ROOT
from tests.infra.config.loading import load, rejection
from tests.infra.config.test_config import KEY

REMOTE_ZONE: dict[str, object] = {"aws:endpoints": []}
REMOTE_KONG: dict[str, object] = {"kongAdminUrl": "https://kong-admin.internal:8444"}


@pytest.mark.parametrize("remote", [REMOTE_ZONE, REMOTE_KONG], ids=["zone", "kong"])
def test_a_stack_of_a_real_kong_or_zone_must_not_use_the_public_passphrase(remote: dict[str, object]) -> None:
    message = rejection({"consumers": {"reader": KEY}}, keyAuth=True, **remote)
    assert "encryptionsalt was made with the public passphrase" in message
    assert "pulumi stack change-secrets-provider passphrase" in message


def test_a_stack_of_one_machine_and_one_without_secrets_may_use_it() -> None:
    assert load({"consumers": {"reader": KEY}}, keyAuth=True).access.key_auth
    assert load(None, **REMOTE_ZONE, **REMOTE_KONG).access.consumers == {}


def test_the_passphrase_of_dev_is_public_and_another_is_not(tmp_path: Path) -> None:
    key = hashlib.pbkdf2_hmac("sha256", b"a long one", b"8 bytes!", 1_000_000, 32)
    sealed = AESGCM(key).encrypt(b"12 bytes, so", b"pulumi", None)
    own, by_key_service = tmp_path / "Pulumi.own.yaml", tmp_path / "Pulumi.kms.yaml"
    salted = ":".join(b64encode(part).decode() for part in (b"8 bytes!", b"12 bytes, so", sealed))
    own.write_text(f"encryptionsalt: v1:{salted.replace(':', ':v1:', 1)}\n")
    by_key_service.write_text("secretsprovider: awskms://alias/pulumi\nencryptedkey: AQ==\n")
    assert is_public(ROOT / "Pulumi.dev.yaml")
    assert not is_public(own)
    assert not is_public(by_key_service)
    assert not is_public(tmp_path / "Pulumi.missing.yaml")
