"""Single values of the config: what is valid is taken, what can't work is refused, with the right value."""

from collections.abc import Callable

import pytest

from infra.config.parsers import (
    WrongValueError,
    database_url,
    header_value,
    hostname,
    image,
    ipv4_addresses,
    network,
    url,
    whole_number,
)

ENGINE = url("ssh", "tcp", "unix", "npipe")
WEB = url("http", "https")


def refusal(parse: Callable[..., object], value: object) -> str:
    with pytest.raises(WrongValueError) as error:
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
def test_an_engine_is_named_as_docker_names_it(value: str) -> None:
    assert ENGINE(value) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("unix://", "must be a path, such as unix:///var/run/docker.sock"),
        ("unix://var/run/docker.sock", "must be a path"),
        ("npipe://./pipe/docker_engine", "must be a path, such as npipe:////./pipe/docker_engine"),
        ("tcp://10.0.0.7", "must hold a port, such as tcp://host:2376"),
        ("docker-1.internal", "must be a URL that begins with ssh or tcp or unix or npipe"),
        ("ssh://deploy:canary@host", "must hold no password"),
    ],
)
def test_an_engine_that_can_not_be_reached_is_refused(value: str, says: str) -> None:
    told = refusal(ENGINE, value)
    assert says in told
    assert "canary" not in told


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
def test_a_url_is_taken_as_it_is(value: str) -> None:
    assert WEB(value) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("http://kong:8001\n", "no space, line end or character outside ASCII"),
        ("http://ko\nng:8001", "no space, line end"),
        ("http://kong :8001", "no space"),
        ("http://bücher.example", "a host: xn--"),
        ("HTTP://kong", "begins with http or https"),
        ("http:///path", "must hold a host name or address"),
        ("http://a..b", "must hold a host name or address"),
        ("http://kong:0", "a port from 1 to 65535"),
        ("http://kong:65536", "a port up to 65535"),
        ("http://[::zz]", "must hold a host"),
        ("http://127.1:8001", "must hold a host name or address"),
        ("http://0x7f.0x1:8001", "must hold a host name or address"),
        ("http://256.0.0.1", "must hold a host name or address"),
        ("http://kong?", "no password, query or fragment"),
        ("http://kong#", "no password, query or fragment"),
        ("http://kong/?token=canary", "no password, query or fragment"),
        ("http://:canary@kong", "no password, query or fragment"),
        ("http://canary@kong", "must hold no user"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(value: str, says: str) -> None:
    told = refusal(WEB, value)
    assert says in told
    assert "canary" not in told


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
def test_an_image_is_named_as_docker_names_it(value: str) -> None:
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
def test_what_is_no_image_is_refused(value: str) -> None:
    assert "must be" in refusal(image, value)


@pytest.mark.parametrize("value", ["bridge", "host", "none", "default", "container:kong", "a b", "", "kong\n"])
def test_a_network_without_names_is_refused(value: str) -> None:
    assert "must be" in refusal(network, value)
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
def test_a_hostname_is_refused_with_the_right_one(value: str, better: str) -> None:
    assert refusal(hostname, value).endswith(f"not {value!r}: set {better}")


@pytest.mark.parametrize(
    "value",
    ["localhost", "a..example", "-a.example", "a-.example", "a_b.example", "10.0.0.1", "*.example", "a." * 130],
)
def test_what_is_no_hostname_is_refused_without_a_guess(value: str) -> None:
    assert ": set" not in refusal(hostname, value)


@pytest.mark.parametrize(
    "value",
    [
        [3221225985],
        [True],
        [None],
        [["192.0.2.1"]],
        ["192.0.2.01"],
        ["192.0.2.1 "],
        ["2001:db8::1"],
        ["gateway.example"],
        ["0.0.0.0"],  # noqa: S104 - an address that is refused
        ["224.0.0.1"],
        ["255.255.255.255"],
        "192.0.2.1",
        {"a": "192.0.2.1"},
        [],
        ["192.0.2.1", "192.0.2.1"],
    ],
)
def test_what_is_no_address_of_a_gateway_is_refused(value: object) -> None:
    assert refusal(ipv4_addresses, value)


def test_route_53_takes_400_addresses() -> None:
    many = [f"192.0.{number // 250}.{number % 250}" for number in range(401)]
    assert ipv4_addresses(many[:400]) == many[:400]
    assert "at most 400 addresses" in refusal(ipv4_addresses, many)
    assert len(refusal(ipv4_addresses, [*range(400)])) < 200


@pytest.mark.parametrize("value", ["300.0", "3e2", "0x10", "", "true", "\u0661", "1\n", "9" * 30])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    assert "must be a whole number" in refusal(whole_number(0, 2**31), value)


@pytest.mark.parametrize("value", ["canary\r", " canary", "canary ", "canary\n", "cana\try", "canary€", "canaryé"])
def test_a_token_that_fits_in_no_header_is_refused_and_not_repeated(value: str) -> None:
    assert "canary" not in refusal(header_value, value)
    assert header_value("Basic dXNlcjpwYXNz") == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("mysql://u:canary@h/d", "must begin with sqlite:/// or postgresql://"),
        ("postgresql://u:canary@h", "must name a database"),
        ("postgresql://u:canary@h/?sslmode=require", "must name a database"),
        ("postgresql://u:canary@h/d\n", "must hold no space, line end"),
        ("sqlite:////tmp/canary.db", "must name a file in /app/data"),
        ("sqlite:///canary.db", "must name a file in /app/data"),
        ("sqlite:///:memory:", "must name a file in /app/data"),
        ("sqlite:///data/../canary.db", "must name a file in /app/data"),
        ("sqlite:///", "must name a file in /app/data"),
    ],
)
def test_a_database_that_would_not_last_is_refused_and_not_repeated(value: str, says: str) -> None:
    told = refusal(database_url("/app/data"), value)
    assert says in told
    assert "canary" not in told


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:p%20w@h:5432/d?sslmode=require",
        "postgresql:///d?host=/run/postgresql",
        "sqlite:///./data/s.db",
        "sqlite:////app/data/s.db",
    ],
)
def test_a_database_that_the_service_takes_is_taken(value: str) -> None:
    assert database_url("/app/data")(value) == value
