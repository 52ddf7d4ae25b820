"""The rule for the Admin API: no credentials over plain HTTP to another machine."""

import pytest

from infra.policy.admin_api import KONG, encrypted
from infra.policy.declared import Declared
from infra.props import UNKNOWN, Props


def find_violations(**inputs: object) -> list[str]:
    urn = f"urn:pulumi:dev::p::{KONG}::kong"
    return encrypted.find_violations(Declared(urn=urn, type=KONG, inputs=inputs, protect=False, dependencies={}))


@pytest.mark.parametrize(
    ("inputs", "rejected"),
    [
        ({"adminUrl": "http://kong.internal:8001", "token": "t"}, True),
        ({"adminUrl": "http://10.0.0.5:8001", "password": "p", "user": "u"}, True),
        ({"adminUrl": "http://kong.internal:8001"}, False),
        ({"adminUrl": "https://kong.internal:8444", "token": "t"}, False),
        ({"adminUrl": "http://127.0.0.1:8001", "token": "t"}, False),
        ({"adminUrl": "http://[::1]:8001", "token": "t"}, False),
        ({"adminUrl": "http://localhost:8001", "token": "t"}, False),
        ({"adminUrl": UNKNOWN, "token": "t"}, False),
    ],
)
def test_credentials_leave_the_machine_only_encrypted(inputs: Props, rejected: bool) -> None:
    violations = find_violations(**inputs)
    assert len(violations) == rejected
    assert all("use https:// in `kongAdminUrl`" in message for message in violations)
