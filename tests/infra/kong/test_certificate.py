"""The validity of a certificate: a new one must be valid today, a deployed one may have expired."""

from infra.kong.provider.connection import Kong
from infra.kong.provider.resource_types import CertificateResource
from infra.kong.schema.access import CERTIFICATE
from infra.props import UNKNOWN
from tests.certificates import HOSTNAME, certificate
from tests.infra.kong.entities import urn
from tests.offline.peers import Gateway

URN = urn("KongCertificate", "one")
EXPIRED = dict(zip(("cert", "key"), certificate(HOSTNAME, days=(-90, -1)), strict=True))
CURRENT = dict(zip(("cert", "key"), certificate(HOSTNAME), strict=True))


def checked(gateway: Gateway, inputs: dict[str, str], old: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings of a check."""
    warnings: list[str] = []
    kong = Kong(warnings.append)
    kong.configure({"adminUrl": gateway.admin})
    _, failures = CertificateResource(kong, CERTIFICATE).check(URN, inputs, old)
    return [failure.reason for failure in failures], warnings


def test_a_new_certificate_that_has_expired_stops_the_preview(gateway: Gateway) -> None:
    for old in ({}, CURRENT):
        (reason,), warnings = checked(gateway, EXPIRED, old)
        assert "expired on" in reason
        assert "pulumi config set --secret tlsCertificate" in reason
        assert "BEGIN" not in reason
        assert warnings == []


def test_a_deployed_certificate_that_has_expired_is_a_warning(gateway: Gateway) -> None:
    failures, (warning,) = checked(gateway, EXPIRED, EXPIRED)
    assert failures == []
    assert "expired on" in warning


def test_a_valid_certificate_is_accepted_silently(gateway: Gateway) -> None:
    assert checked(gateway, CURRENT, EXPIRED) == ([], [])
    assert checked(gateway, CURRENT | {"cert": UNKNOWN}, {}) == ([], [])
