"""Why the Admin API can't be used: each cause with the config key to change, and never with the token."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.kong.provider import admin_api
from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.errors import (
    AdminApiDeniedError,
    AdminApiError,
    AdminApiUnreachableError,
    AdminApiUnusableError,
)
from infra.kong.provider.session import Credentials
from tests.certificates import certificate
from tests.infra.kong.admin_servers import AdminServer, Answer, says, serving

HTML = {"Content-Type": "text/html", "Server": "nginx"}
TOKEN = "canary-4711"  # noqa: S105 - a canary


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0)
    monkeypatch.setattr(admin_api, "TIMEOUT_SECONDS", (0.2, 0.2))


@pytest.fixture
def server() -> Iterator[AdminServer]:
    """Yield a server with Kong's response at its root."""
    with serving(AdminServer()) as server:
        yield server


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """Return a certificate for localhost, with its key."""
    file = tmp_path / "admin.pem"
    file.write_text("".join(certificate("localhost")))
    return file


def failure(url: str, kind: type[AdminApiError], token: str | None = TOKEN) -> str:
    with pytest.raises(AdminApiError) as error:
        AdminApi(url, credentials=Credentials(token=token)).get("services", "x")
    assert type(error.value) is kind
    assert "canary" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            (401, b"<html>", HTML | {"WWW-Authenticate": 'Basic realm="x"'}),
            "it requires a user name. Set kongAdminUser and the secret kongAdminPassword",
        ),
        ((401, b"<html>", HTML | {"WWW-Authenticate": "Bearer"}), "kongAdminToken to 'Bearer ' and the token"),
        (
            (401, b'{"message": "Invalid RBAC credentials"}'),
            r"\(401: Invalid RBAC credentials\): the token was rejected",
        ),
        (
            (403, b"<html>", HTML),
            r"\(403: Forbidden, from nginx\): the token in kongAdminToken is not allowed to GET /\.",
        ),
        ((407, b""), "by a proxy. Set kongAdminUrl to Kong's own address"),
    ],
)
def test_a_denial_says_what_is_required(server: AdminServer, answer: Answer, expected: str) -> None:
    server.root = answer
    assert re.search(expected, failure(server.url, AdminApiDeniedError))


def test_a_missing_token_is_named(server: AdminServer) -> None:
    server.root = (401, b'{"message": "Unauthorized"}')
    message = failure(server.url, AdminApiDeniedError, token=None)
    assert "Set its token: pulumi config set --secret kongAdminToken" in message


def test_a_missing_permission_names_the_call(server: AdminServer) -> None:
    server.answers = [(403, b'{"message": "no permission"}')]
    assert "is not allowed to GET /services/x. Allow it in Kong's RBAC" in failure(server.url, AdminApiDeniedError)


@pytest.mark.parametrize("token", ["canary\r", " canary", "canary\n", "canary€"])
def test_a_token_that_is_no_header_value_is_named(server: AdminServer, token: str) -> None:
    message = failure(server.url, AdminApiUnusableError, token)
    assert "the token is not a valid header value" in message
    assert "pulumi config set --secret kongAdminToken" in message
    assert server.root_requests == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            (301, b"", {"Location": "https://u:canary@kong.example:8444/admin/?k=canary"}),
            "GET / to https://kong.example:8444/a",
        ),
        (
            (302, b"", {"Location": "/login"}),
            "it redirects GET / to /login. Set kongAdminUrl to Kong's own address",
        ),
        ((304, b""), "GET / returned 304 (Not Modified) with no body"),
        ((200, b""), "not Kong's Admin API: GET / returned 200 (OK) with no body"),
        (
            (200, b"<html>", HTML),
            "returned 200 (OK, from nginx) with text/html. Check the host, the port and the path",
        ),
        ((404, b"<html>", HTML), "404 (Not Found, from nginx) with text/html"),
        ((404, b'{"message": "no workspace x"}'), "404 (no workspace x) with a body. Check the host"),
        ((200, b"[]"), "not Kong's Admin API"),
        ((200, b"\xff\xfe"), "not Kong's Admin API"),
        (
            (400, b"<h1>The plain HTTP request was sent to HTTPS port</h1>", HTML),
            "Use https:// in kongAdminUrl",
        ),
        (
            (404, b'{"message":"no Route matched with those values"}'),
            "Kong's proxy, not its Admin API. Correct the port in kongAdminUrl",
        ),
    ],
)
def test_a_server_that_is_not_kong_is_recognized(server: AdminServer, answer: Answer, expected: str) -> None:
    server.root = answer
    assert expected in failure(server.url, AdminApiUnusableError)
    assert server.root_requests == 1, "a retry would not help"


def test_a_load_balancer_without_kong_behind_it_is_recognized(server: AdminServer) -> None:
    server.root = (502, b"<html>", HTML)
    message = failure(server.url, AdminApiUnreachableError)
    assert "returned 502: Bad Gateway, from nginx. No Kong responds behind that address" in message


def test_a_private_ca_is_trusted_by_the_environment(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with serving(AdminServer(pem)) as server:
        message = failure(server.url, AdminApiUnusableError)
        assert "not from a trusted CA (self-signed certificate)" in message
        assert "Set kongAdminCa to the certificate of the CA that signed it, or to a file with it" in message
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        assert AdminApi(server.url).get("services", "x") == {"id": "x"}
        assert "is for another host" in failure(
            server.url.replace("localhost", "127.0.0.1"), AdminApiUnusableError
        )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
        assert "REQUESTS_CA_BUNDLE names a file that does not exist" in failure(server.url, AdminApiUnusableError)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
        assert "a file without a PEM certificate" in failure(server.url, AdminApiUnusableError)


def test_an_expired_certificate_is_named(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem.write_text("".join(certificate("localhost", days=(-9, -1))))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with serving(AdminServer(pem)) as server:
        assert "its certificate is not valid today" in failure(server.url, AdminApiUnusableError)


def test_a_failed_tls_handshake_is_named() -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # RFC 8446, section 6: protocol_version
    with says(alert) as address:
        message = failure(f"https://{address}", AdminApiUnusableError)
    assert "TLS handshake failed (TLSV1_ALERT_PROTOCOL_VERSION). Compare the TLS versions" in message


def test_the_wrong_scheme_is_named_both_ways(server: AdminServer, pem: Path) -> None:
    message = failure(server.url.replace("http:", "https:"), AdminApiUnusableError)
    assert "the port does not speak TLS. Use http:// in kongAdminUrl" in message
    with serving(AdminServer(pem)) as https:
        message = failure(https.url.replace("https:", "http:"), AdminApiUnreachableError)
    assert "If the port is for HTTPS, use https://" in message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9", r"nothing listens on that port \(.*\)\. Check the host and port in kongAdminUrl"),
        (
            "http://kong.invalid:8001",
            r"the host name kong\.invalid does not resolve \(.*\)\. Check the host in kongAdminUrl",
        ),
    ],
)
def test_a_transient_failure_is_unreachable(url: str, expected: str) -> None:
    assert re.search(expected, failure(url, AdminApiUnreachableError))


@pytest.mark.parametrize("url", ["http://a..b", "http://[::zz]:8001"])
def test_an_invalid_url_is_named(url: str) -> None:
    assert "invalid URL. Correct kongAdminUrl" in failure(url, AdminApiUnusableError)


def test_a_server_that_does_not_speak_http_is_named() -> None:
    with says(b"SSH-2.0-OpenSSH_9.6\r\n") as address:
        message = failure(f"http://{address}", AdminApiUnusableError)
    assert "does not speak HTTP. Check the port in kongAdminUrl" in message


def test_an_incomplete_response_is_transient() -> None:
    with says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx") as address:
        assert "Check kongAdminUrl" in failure(f"http://{address}", AdminApiUnreachableError)


def test_an_error_while_another_is_handled_has_its_own_cause() -> None:
    with serving(AdminServer()) as server:
        api = AdminApi(server.url)
        api.get("services", "x")
    try:
        int("none")
    except ValueError:
        with pytest.raises(AdminApiUnreachableError, match="nothing listens on that port"):
            api.get("services", "x")


def test_a_read_timeout_is_named() -> None:
    with says(b"") as address:
        assert "connected, but got no response in time" in failure(f"http://{address}", AdminApiUnreachableError)


def test_a_connect_timeout_is_named() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # the backlog is full: another connection gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        message = failure(f"http://127.0.0.1:{full.getsockname()[1]}", AdminApiUnreachableError)
    assert "connection timed out. Check the host and port in kongAdminUrl" in message
