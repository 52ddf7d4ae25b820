"""Checks of the gateway's certificate: errors are found before it is used, and no message repeats the key."""

import pytest

from infra.tls import hostname_error, pair_error, validity_error
from tests.certificates import HOSTNAME, certificate

KEYS = ("tlsCertificate", "tlsKey")


@pytest.mark.parametrize("name", [HOSTNAME, HOSTNAME.upper(), "*.fountain.coach"])
def test_a_certificate_for_the_hostname_is_accepted(name: str) -> None:
    assert hostname_error(certificate("other.example", name)[0], HOSTNAME) is None


def test_a_chain_may_follow_the_certificate() -> None:
    (leaf, key), (issuer, _) = certificate(HOSTNAME), certificate("issuer.example")
    assert pair_error(leaf + issuer, key, KEYS) is None
    assert hostname_error(leaf + issuer, HOSTNAME) is None


@pytest.mark.parametrize("name", ["fountain.coach", "*.coach", "*.sessioncontext.fountain.coach", "*.*.coach"])
def test_a_certificate_for_another_name_is_rejected_with_both_names(name: str) -> None:
    expected = f"tlsCertificate is for {name}, not for {HOSTNAME}"
    assert hostname_error(certificate(name)[0], HOSTNAME) == expected


def test_a_certificate_without_host_names_is_rejected() -> None:
    assert hostname_error(certificate()[0], HOSTNAME) == f"tlsCertificate is for no host name, not for {HOSTNAME}"


def test_a_key_that_does_not_match_is_rejected() -> None:
    (leaf, _), (_, key) = certificate(HOSTNAME), certificate(HOSTNAME)
    assert pair_error(leaf, key, KEYS) == "tlsKey does not match tlsCertificate"


def test_a_certificate_is_invalid_before_and_after_its_dates() -> None:
    def error_for(*days: int) -> str:
        return validity_error(certificate(HOSTNAME, days=(days[0], days[1]))[0]) or ""

    assert "expired on" in error_for(-90, -1)
    assert "is not valid before" in error_for(1, 90)
    assert error_for(-1, 1) == ""
    assert pair_error(*certificate(HOSTNAME, days=(-90, -1)), KEYS) is None, "it would stop a destroy"


def test_input_that_is_not_pem_is_rejected_and_not_repeated() -> None:
    leaf, _ = certificate(HOSTNAME)
    assert pair_error("canary", "canary", KEYS) == "tlsCertificate must be one or more certificates in PEM format"
    assert validity_error("canary") is None, "Kong reports it"
    assert pair_error(leaf, "canary", KEYS) == "tlsKey must be an unencrypted private key in PEM format"
