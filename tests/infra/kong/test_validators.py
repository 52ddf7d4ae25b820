"""What each validator accepts, and the whole message about what it does not: a user reads it in a preview."""

import re

import pytest

from infra.kong.provider.errors import InvalidEntityError
from infra.kong.schema.healthchecks import HEALTHCHECKS, check_healthchecks, merge_defaults, pick_known
from infra.kong.schema.routing import ROUTE, SERVICE, UPSTREAM
from infra.kong.schema.validators import (
    Validator,
    between,
    boolean,
    each,
    is_target,
    is_uuid,
    mapping,
    matching,
    normalize_target,
    number,
    one_of,
    service_host,
    text,
    upstream_name,
)
from infra.props import UNKNOWN, Failure, Props

NO_HOST = "must be a host name or address, without a port"
NO_NAME = "must be a host name, without a port, not an IP address"
NO_TARGET = "must be HOST:PORT"
SMALL = matching(re.compile("[a-z]"), "a small letter")


Case = tuple[Validator, list[object], list[object], str]


def cases() -> list[Case]:
    """Return validators with what they accept, what they don't, and why."""
    return [
        (between(1, 3), [1, 3], [0, 4, True, 2.0, "2"], "must be a whole number from 1 to 3"),
        (number(), [0, -1.5], [True, "1"], "must be a number"),
        (number(above=1), [1.5, 2], [1, 0, True, "2"], "must be a number above 1"),
        (one_of("a", 2), ["a", 2], ["b", 3], "must be one of a, 2"),
        (SMALL, ["a"], ["A", "aa", 1], "must be a small letter"),
        (boolean, [True, False], [0, "true"], "must be true or false"),
        (text, ["a"], ["", 1], "must be a non-empty string"),
        (mapping, [{}], [[], "a"], "must be an object"),
        (service_host, ["a", "a_b.example.", "10.0.0.1", "::1"], ["a:80", "123", "-a", "", 1], NO_HOST),
        (upstream_name, ["a", "a.example"], ["10.0.0.1", "::1", "a:80", 1], NO_NAME),
        (
            is_target,
            ["a:0", "a:65535", "10.0.0.1:80", "[::1]:80"],
            ["a:65536", "a", "a:", "a:+1", "a:²"],
            NO_TARGET,
        ),
        (is_target, [], ["[a]:80", "[10.0.0.1]:80", "a b:80"], NO_TARGET),
        (is_target, [], ["::1:80"], "must have the IPv6 address in brackets"),
        (each(SMALL), [[], ["a", "a"], [UNKNOWN]], ["a", {"a": 1}], "must be a list"),
        (each(SMALL), [], [["A", "a"]], "'A' must be a small letter"),
        (each(SMALL, unique=True), [["a", UNKNOWN, UNKNOWN]], [["a", "b", "a"]], "duplicate item 'a'"),
        (
            each(SMALL, unique=True),
            [],
            [["B", "B"]],
            "'B' must be a small letter; 'B' must be a small letter; duplicate item 'B'",
        ),
    ]


def test_a_validator_accepts_or_says_why_not() -> None:
    for validate, valid, invalid, reason in cases():
        assert [validate(value) for value in valid] == [None] * len(valid)
        assert [validate(value) for value in invalid] == [reason] * len(invalid)


@pytest.mark.parametrize(
    ("given", "kept"), [("a:080", "a:80"), ("[::1]:80", "[0000:0000:0000:0000:0000:0000:0000:0001]:80")]
)
def test_a_target_is_normalized(given: str, kept: str) -> None:
    assert normalize_target(given) == kept


def test_an_id_has_the_form_of_a_uuid() -> None:
    assert is_uuid("00000000-0000-4000-8000-00000000000A")
    assert not is_uuid("00000000-0000-4000-8000-00000000000")
    assert not is_uuid("name-00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        (UNKNOWN, None),
        ({"active": UNKNOWN, "threshold": 1.5}, None),
        ({"active": {"https_sni": "a", "headers": {"a": ["b"]}, "timeout": 0.5}}, None),
        ("on", "it must be an object"),
        ({"active": 1}, "active must be an object"),
        ({"active": {"healthy": []}}, "active.healthy must be an object"),
        ({"passive": {"x": 1}}, "passive.x: unknown field; known fields: type, healthy, unhealthy"),
        ({"threshold": "1"}, "threshold must be like 0"),
        ({"active": {"http_path": 1}}, "active.http_path must be like '/'"),
        ({"active": {"https_verify_certificate": 1}}, "active.https_verify_certificate must be like True"),
        ({"active": {"healthy": {"http_statuses": 200}}}, "active.healthy.http_statuses must be a list"),
        ({"active": {"type": "tcp"}, "passive": {"type": 1}}, "passive.type must be like 'http'"),
    ],
)
def test_the_shape_of_health_checks_is_checked(given: object, reason: str | None) -> None:
    assert check_healthchecks(given) == reason


def test_health_checks_are_filled_with_defaults_on_every_level() -> None:
    filled = merge_defaults(HEALTHCHECKS, {"active": {"healthy": {"interval": 5}}, "threshold": 50})
    assert isinstance(filled, dict)
    assert filled["active"]["healthy"] == {"interval": 5, "http_statuses": [200, 302], "successes": 0}
    assert filled["active"]["unhealthy"] == HEALTHCHECKS["active"]["unhealthy"]
    assert (filled["passive"], filled["threshold"]) == (HEALTHCHECKS["passive"], 50)
    assert merge_defaults(HEALTHCHECKS, UNKNOWN) == UNKNOWN


def test_fields_of_other_versions_of_kong_are_left_out() -> None:
    live = {"passive": {"type": "tcp", "new": 1}, "newer": 2}
    passive = HEALTHCHECKS["passive"] | {"type": "tcp"}
    assert pick_known(HEALTHCHECKS, live) == HEALTHCHECKS | {"passive": passive}


@pytest.mark.parametrize(
    ("given", "algorithm", "hash_on"),
    [
        ({}, "round-robin", "none"),
        ({"hash_on": "ip"}, "consistent-hashing", "ip"),
        ({"algorithm": "consistent-hashing"}, "round-robin", "none"),
        ({"algorithm": "latency", "hash_on": "ip"}, "latency", "none"),
        ({"algorithm": "least-connections", "hash_on": "ip"}, "least-connections", "none"),
        ({"algorithm": UNKNOWN, "hash_on": "ip"}, UNKNOWN, "ip"),
        ({"algorithm": "round-robin", "hash_on": UNKNOWN}, "round-robin", UNKNOWN),
    ],
)
def test_the_algorithm_and_what_is_hashed_agree(given: Props, algorithm: str, hash_on: str) -> None:
    filled, failures = UPSTREAM.fill_defaults({"name": "a", **given})
    assert failures == []
    assert (filled["algorithm"], filled["hash_on"]) == (algorithm, hash_on)


@pytest.mark.parametrize("kind", ["sources", "destinations"])
def test_an_address_of_a_route_has_both_fields(kind: str) -> None:
    filled, failures = ROUTE.fill_defaults(
        {"protocols": ["tcp"], kind: [{"port": 1}, {"ip": "10.0.0.1"}, UNKNOWN]}
    )
    assert failures == []
    assert filled[kind] == [{"ip": None, "port": 1}, {"ip": "10.0.0.1", "port": None}, UNKNOWN]


@pytest.mark.parametrize(
    ("protocols", "strip_path"), [(["grpc"], False), (["grpc", "grpcs"], False), (["http"], True)]
)
def test_the_path_of_grpc_is_not_stripped(protocols: list[str], strip_path: bool) -> None:
    assert ROUTE.fill_defaults({"protocols": protocols, "hosts": ["a"]})[0]["strip_path"] is strip_path
    assert ROUTE.fill_defaults({"protocols": protocols, "hosts": ["a"], "strip_path": True})[0]["strip_path"]


def test_a_route_that_would_match_every_request_is_rejected() -> None:
    assert ROUTE.fill_defaults({"protocols": [UNKNOWN]})[1] == []
    reason = "a route must set one of sources, destinations, snis, or it would match every request"
    assert ROUTE.fill_defaults({"protocols": ["tcp", "tls"]})[1] == [Failure("sources", reason)]
    assert ROUTE.fill_defaults({"protocols": ["tcp", "tls"], "snis": ["a"]})[1] == []


def test_a_protocol_without_paths_takes_none() -> None:
    assert SERVICE.fill_defaults({"host": "a", "path": "/", "protocol": "grpc"})[1] == [
        Failure("path", "must not be set with protocol grpc")
    ]
    assert SERVICE.fill_defaults({"host": "a", "path": "/", "protocol": "https"})[1] == []


def test_an_unknown_field_is_rejected_with_those_that_are_known() -> None:
    [failure] = SERVICE.fill_defaults({"host": "a", "hots": 1})[1]
    assert failure.property == "hots"
    assert failure.reason.startswith("unknown field of services; known fields: host, name, protocol, port, ")
    assert SERVICE.fill_defaults({})[1] == [Failure("host", "is missing")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"port": "expected an integer"}, [("port", "expected an integer")]),
        (
            {"config": {"minute": "is bad", "@entity": ["a", "b"], "limits": ["x", None, {"y": 1}]}},
            [
                ("config.minute", "is bad"),
                ("config", "a"),
                ("config", "b"),
                ("config.limits[0]", "x"),
                ("config.limits[2].y", "1"),
            ],
        ),
        ({"@entity": ["at least one of"]}, [("", "at least one of")]),
        ({}, [("", "POST /services: schema violation")]),
    ],
)
def test_each_error_of_kong_is_one_of_a_field(fields: Props, expected: list[tuple[str, str]]) -> None:
    error = InvalidEntityError("POST /services: schema violation", 2, fields)
    assert error.field_errors() == expected
    assert (str(error), error.code) == ("POST /services: schema violation", 2)
