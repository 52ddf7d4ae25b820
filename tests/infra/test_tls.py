"""The gateway's certificate: what would not work is told before it is used, and no message repeats the key."""

import pytest

from infra.tls import mistakes, outdated
from tests.infra.certificates import HOSTNAME, certificate


@pytest.mark.parametrize("name", [HOSTNAME, HOSTNAME.upper(), "*.fountain.coach"])
def test_a_certificate_for_the_hostname_is_taken(name: str) -> None:
    assert mistakes(*certificate("other.example", name), HOSTNAME) == []


def test_a_chain_may_follow_the_certificate() -> None:
    (leaf, key), (issuer, _) = certificate(HOSTNAME), certificate("issuer.example")
    assert mistakes(leaf + issuer, key, HOSTNAME) == []


@pytest.mark.parametrize("name", ["fountain.coach", "*.coach", "*.sessioncontext.fountain.coach", "*.*.coach"])
def test_another_name_is_refused_with_both_names(name: str) -> None:
    assert mistakes(*certificate(name), HOSTNAME) == [f"tlsCertificate is for {name} and not for {HOSTNAME}"]


def test_another_certificates_key_is_refused() -> None:
    (leaf, _), (_, key) = certificate(HOSTNAME), certificate(HOSTNAME)
    assert mistakes(leaf, key, HOSTNAME) == ["tlsKey is not the key of tlsCertificate"]


def test_a_certificate_is_outdated_before_and_after_its_dates() -> None:
    def outdated_for(*days: int) -> str:
        return outdated(certificate(HOSTNAME, days=(days[0], days[1]))[0]) or ""

    assert "expired on" in outdated_for(-90, -1)
    assert "is not valid before" in outdated_for(1, 90)
    assert outdated_for(-1, 1) == ""
    assert mistakes(*certificate(HOSTNAME, days=(-90, -1)), HOSTNAME) == [], "a destroy would stop at it"


def test_what_is_no_pem_is_refused_without_repeating_it() -> None:
    leaf, _ = certificate(HOSTNAME)
    assert mistakes("canary", "canary", HOSTNAME) == ["tlsCertificate must be one or more certificates in PEM"]
    assert mistakes(leaf, "canary", HOSTNAME) == ["tlsKey must be a private key in PEM, without a passphrase"]
