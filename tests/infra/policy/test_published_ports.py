"""The rule for published ports: only at private addresses."""

import pytest

from infra.policy.containers import CONTAINER, no_published_port
from infra.policy.declared import Declared
from infra.props import UNKNOWN


def violations(*ports: object) -> list[str]:
    container = Declared(urn="", type=CONTAINER, inputs={"ports": [*ports]}, protect=False, dependencies={})
    return no_published_port.find_violations(container)


@pytest.mark.parametrize("address", ["10.0.0.5", "100.64.0.7", "127.0.0.1", "fd00::5", UNKNOWN])
def test_a_private_address_is_accepted(address: str) -> None:
    assert violations({"internal": 8080, "external": 8081, "ip": address}, UNKNOWN) == []


@pytest.mark.parametrize("address", ["203.0.113.5", "::", "2001:db8::5", "::ffff:10.0.0.5"])
def test_any_other_address_is_rejected(address: str) -> None:
    (message,) = violations({"internal": 8080, "ip": address}, {"internal": 8080, "ip": "10.0.0.5"})
    assert message == f"publishes a port at {address}; set a private `ip` in `ports`, or leave `ports` out"
