"""The TLS listener: the certificate for each server name, and routes for HTTPS alone."""

import base64
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.certificates import certificate
from tests.offline.peers import Gateway, Site, Upstream
from tests.ports import free_port

DEFAULT, OWN, WILD = (certificate(name) for name in ("localhost", "own.example", "*.wild.example"))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(port: int) -> Iterator[Gateway]:
    """Yield a gateway that has the default certificate in one of the forms that Kong accepts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KONG_SSL_CERT", base64.b64encode(DEFAULT[0].encode()).decode())
        patch.setenv("KONG_SSL_CERT_KEY", DEFAULT[1])
        gateway = Gateway("--proxy-ssl-port", str(port))
    for (cert, key), name in ((OWN, "own.example"), (WILD, "*.wild.example")):
        gateway.made("POST", "/certificates", {"cert": cert, "key": key, "snis": [name]})
    yield gateway
    gateway.stop()


def get(port: int, server_name: str | None, trusted: str, host: str) -> str:
    """Send a request over a connection whose certificate must be the trusted one; return the answer."""
    context = ssl.create_default_context(cadata=trusted)
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := secure.recv(4096):
            answer += chunk
    return answer.decode()


@pytest.mark.parametrize(
    ("server_name", "presented"),
    [
        (None, DEFAULT),
        ("other.example", DEFAULT),
        ("own.example", OWN),
        ("a.wild.example", WILD),
        ("a.b.wild.example", DEFAULT),
    ],
)
@pytest.mark.usefixtures("gateway")
def test_the_certificate_is_that_of_the_server_name(
    port: int, server_name: str | None, presented: tuple[str, str]
) -> None:
    assert get(port, server_name, presented[0], "nobody.example").startswith("HTTP/1.1 404 ")


def test_a_changed_certificate_is_presented_at_once(gateway: Gateway, port: int) -> None:
    row = gateway.made("POST", "/certificates", {"cert": OWN[0], "key": OWN[1], "snis": ["new.example"]})
    cert, key = certificate("new.example")
    gateway.made("PATCH", f"/certificates/{row['id']}", {"cert": cert, "key": key})
    assert get(port, "new.example", cert, "nobody.example").startswith("HTTP/1.1 404 ")


def test_a_route_for_https_alone_is_reached_over_tls_alone(upstream: Upstream, site: Site, port: int) -> None:
    site.reroute(protocols=["https"], https_redirect_status_code=308)
    answer = site.get(allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{site.host}/")
    assert get(port, None, DEFAULT[0], site.host).startswith("HTTP/1.1 200 ")
    assert upstream.seen[-1]["headers"]["X-Forwarded-Proto"] == "https"
    assert upstream.seen[-1]["headers"]["X-Forwarded-Port"] == str(port)


def test_a_route_for_plain_http_alone_is_not_found_over_tls(site: Site, port: int) -> None:
    site.reroute(protocols=["http"])
    assert site.get().status_code == 200
    assert get(port, None, DEFAULT[0], site.host).startswith("HTTP/1.1 404 ")
