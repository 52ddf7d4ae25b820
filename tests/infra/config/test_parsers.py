"""Single config values: valid ones are accepted; others are rejected, with a suggestion if there is one."""

from collections.abc import Callable

import pytest

from infra.config.parsers import (
    InvalidValueError,
    addresses,
    header_value,
    hostname,
    image,
    network,
    whole_number,
)
from infra.config.urls import database_url, url

ENGINE = url("ssh", "tcp", "unix", "npipe")
WEB = url("http", "https")


def rejection(parse: Callable[..., object], value: object) -> str:
    with pytest.raises(InvalidValueError) as error:
        parse(value)
    return str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "npipe:////./pipe/docker_engine",
        "unix:///var/run/docker.sock",
        "ssh://deploy@docker-1.internal",
        "ssh://docker-1:2222",
        "tcp://10.0.0.7:2376",
        "tcp://[fd00::7]:2376",
    ],
)
def test_a_docker_host_is_accepted_in_every_form_of_docker(value: str) -> None:
    assert ENGINE(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("unix://", "must be the path of a socket, such as unix:///var/run/docker.sock"),
        ("unix://var/run/docker.sock", "must be the path of a socket"),
        ("npipe://./pipe/docker_engine", "must be the path of a socket, such as npipe:////./pipe/docker_engine"),
        ("tcp://10.0.0.7", "must contain a port, such as tcp://host:2376"),
        ("docker-1.internal", "must be a URL that starts with ssh:// or tcp:// or unix:// or npipe://"),
        ("ssh://deploy:canary@host", "must not contain a password"),
    ],
)
def test_a_docker_host_that_cannot_be_reached_is_rejected(value: str, expected: str) -> None:
    message = rejection(ENGINE, value)
    assert expected in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "value",
    [
        "http://central_sequence_service:8080",
        "https://kong-admin.internal:8444/team-a/",
        "http://127.0.0.1:8001",
        "http://[::1]:8001",
        "http://kong.internal.",
    ],
)
def test_a_url_is_accepted_unchanged(value: str) -> None:
    assert WEB(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://kong:8001\n", "must not contain white space or non-ASCII characters"),
        ("http://ko\nng:8001", "must not contain white space"),
        ("http://kong :8001", "must not contain white space"),
        ("http://bücher.example", "host names: Punycode"),
        ("HTTP://kong", "starts with http:// or https://"),
        ("http:///path", "must contain a host name or IP address"),
        ("http://a..b", "must contain a host name or IP address"),
        ("http://kong:0", "a port from 1 to 65535"),
        ("http://kong:65536", "a port up to 65535"),
        ("http://[::zz]", "must contain a valid host"),
        ("http://127.1:8001", "must contain a host name or IP address"),
        ("http://0x7f.0x1:8001", "must contain a host name or IP address"),
        ("http://256.0.0.1", "must contain a host name or IP address"),
        ("http://kong?", "must not contain a password, a query or a fragment"),
        ("http://kong#", "must not contain a password, a query or a fragment"),
        ("http://kong/?token=canary", "must not contain a password, a query or a fragment"),
        ("http://:canary@kong", "must not contain a password, a query or a fragment"),
        ("http://canary@kong", "must not contain a user name"),
    ],
)
def test_an_invalid_url_is_rejected(value: str, expected: str) -> None:
    message = rejection(WEB, value)
    assert expected in message
    assert "canary" not in message


DIGEST = "@sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "value",
    [
        "python:3.11-slim-bookworm",
        "registry.example/team/app:Release_1.0-RC1",
        "registry:5000/app",
        "Registry.Example/app",
        "[2001:db8::1]:5000/app:1",
        f"python:3.11{DIGEST}",
        f"a/b__c--d.e{DIGEST}",
        "python@sha512:" + "0a" * 64,
    ],
)
def test_an_image_name_is_accepted_in_every_form_of_docker(value: str) -> None:
    assert image(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "a//b",
        "a/",
        "/a",
        "a:",
        "a:-x",
        f"a:{'x' * 129}",
        "a@sha256:0a",
        "a@md5:0a",
        "a..b",
        "a b",
        "a\n",
        "é",
        "a::b",
    ],
)
def test_an_invalid_image_name_is_rejected(value: str) -> None:
    assert "must be" in rejection(image, value)


@pytest.mark.parametrize("value", ["bridge", "host", "none", "default", "container:kong", "a b", "", "kong\n"])
def test_a_network_without_dns_is_rejected(value: str) -> None:
    assert "must be" in rejection(network, value)
    assert network("kong-net") == "kong-net"


@pytest.mark.parametrize(
    ("value", "better"),
    [
        ("sessioncontext.fountain.coach.", "sessioncontext.fountain.coach"),
        ("SessionContext.Fountain.coach", "sessioncontext.fountain.coach"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Straße.example.", "xn--strae-oqa.example"),
        ("https://api.example/sessions", "api.example"),
        (" api.example\n", "api.example"),
    ],
)
def test_a_hostname_is_rejected_with_a_suggestion(value: str, better: str) -> None:
    assert rejection(hostname, value).endswith(f"not {value!r}; did you mean {better}?")


@pytest.mark.parametrize("value", ["localhost", "a..b", "-a.b", "a-.b", "a_b.b", "10.0.0.1", "*.b", "a." * 130])
def test_an_invalid_hostname_is_rejected_without_a_suggestion(value: str) -> None:
    assert "did you mean" not in rejection(hostname, value)


@pytest.mark.parametrize(
    "value",
    [
        [3221225985],
        [True],
        [None],
        [["192.0.2.1"]],
        ["192.0.2.01"],
        ["192.0.2.1 "],
        ["2001:db8::1%eth0"],
        ["ff02::1"],
        ["::"],
        ["2001:db8::1", "2001:DB8:0::1"],
        ["gateway.example"],
        ["0.0.0.0"],  # noqa: S104 - rejected
        ["224.0.0.1"],
        ["255.255.255.255"],
        "192.0.2.1",
        {"a": "192.0.2.1"},
        ["192.0.2.1", "192.0.2.1"],
    ],
)
def test_what_is_not_a_list_of_unicast_addresses_is_rejected(value: object) -> None:
    assert rejection(addresses, value)


def test_addresses_of_both_families_are_accepted_in_their_short_form() -> None:
    assert addresses(["127.0.0.1", "::1", "2001:DB8:0:0::A"]) == ["127.0.0.1", "::1", "2001:db8::a"]


def test_at_most_400_addresses_are_accepted() -> None:
    many = [f"192.0.{number // 250}.{number % 250}" for number in range(401)]
    assert addresses([*many[:400], "2001:db8::1"]) == [*many[:400], "2001:db8::1"]
    assert "more than 400 IPv4 addresses, the limit of Route 53" in rejection(addresses, many)
    assert len(rejection(addresses, [*range(400)])) < 200


@pytest.mark.parametrize("value", ["300.0", "3e2", "0x10", "", "true", "\u0661", "1\n", "9" * 30])
def test_an_invalid_whole_number_is_rejected(value: str) -> None:
    assert "must be a whole number" in rejection(whole_number(0, 2**31), value)


@pytest.mark.parametrize("value", ["canary\r", " canary", "canary ", "canary\n", "cana\try", "canary€", "canaryé"])
def test_a_token_that_is_no_header_value_is_rejected_and_not_repeated(value: str) -> None:
    assert "canary" not in rejection(header_value, value)
    assert header_value("Basic dXNlcjpwYXNz") == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mysql://u:canary@h/d", "must start with sqlite:/// or postgresql://"),
        ("postgresql://u:canary@h", "must contain a database name"),
        ("postgresql://u:canary@h/?sslmode=require", "must contain a database name"),
        ("postgresql://u:canary@h/d\n", "must not contain white space"),
        ("sqlite:////tmp/canary.db", "must be a file in /app/data"),
        ("sqlite:///canary.db", "must be a file in /app/data"),
        ("sqlite:///:memory:", "must be a file in /app/data"),
        ("sqlite:///data/../canary.db", "must be a file in /app/data"),
        ("sqlite:///", "must be a file in /app/data"),
    ],
)
def test_a_database_outside_the_volume_is_rejected_and_not_repeated(value: str, expected: str) -> None:
    message = rejection(database_url("/app/data"), value)
    assert expected in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:p%20w@h:5432/d?sslmode=require",
        "postgresql:///d?host=/run/postgresql",
        "sqlite:///./data/s.db",
        "sqlite:////app/data/s.db",
    ],
)
def test_a_database_of_the_service_is_accepted(value: str) -> None:
    assert database_url("/app/data")(value) == value
