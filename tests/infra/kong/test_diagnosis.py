"""Why an Admin API can't be used: each cause by its name, with the key to change, and never the token."""

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
from tests.infra.certificates import certificate
from tests.infra.kong.admin_servers import AdminServer, Answer, says, serving

HTML = {"Content-Type": "text/html", "Server": "nginx"}
TOKEN = "canary-4711"  # noqa: S105 - a canary


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0)
    monkeypatch.setattr(admin_api, "TIMEOUT_SECONDS", (0.2, 0.2))


@pytest.fixture
def server() -> Iterator[AdminServer]:
    """A server whose root is a Kong's."""
    with serving(AdminServer()) as server:
        yield server


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate for localhost, with its key."""
    file = tmp_path / "admin.pem"
    file.write_text("".join(certificate("localhost")))
    return file


def refused(url: str, kind: type[AdminApiError], token: str | None = TOKEN) -> str:
    with pytest.raises(AdminApiError) as error:
        AdminApi(url, token=token).get("services", "x")
    assert type(error.value) is kind
    assert "canary" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            (401, b"<html>", HTML | {"WWW-Authenticate": 'Basic realm="x"'}),
            "Set kongAdminTokenHeader to Authorizat",
        ),
        ((401, b"<html>", HTML | {"WWW-Authenticate": "Bearer"}), "kongAdminToken to 'Bearer ' and the token"),
        (
            (401, b'{"message": "Invalid RBAC credentials"}'),
            r"\(401: Invalid RBAC credentials\): the token is refused",
        ),
        ((403, b"<html>", HTML), r"\(403: Forbidden, from nginx\): the token in kongAdminToken may not GET /\."),
        ((407, b""), "that is a proxy. Set kongAdminUrl to Kong's own address"),
    ],
)
def test_a_denial_says_what_is_wanted(server: AdminServer, answer: Answer, says: str) -> None:
    server.root = answer
    assert re.search(says, refused(server.url, AdminApiDeniedError))


def test_a_missing_token_is_asked_for(server: AdminServer) -> None:
    server.root = (401, b'{"message": "Unauthorized"}')
    told = refused(server.url, AdminApiDeniedError, token=None)
    assert "Set its token with: pulumi config set --secret kongAdminToken" in told


def test_a_token_that_may_not_do_one_thing_names_the_call(server: AdminServer) -> None:
    server.answers = [(403, b'{"message": "no permission"}')]
    assert "may not GET /services/x. Allow it in Kong's RBAC" in refused(server.url, AdminApiDeniedError)


@pytest.mark.parametrize("token", ["canary\r", " canary", "canary\n", "canary€"])
def test_a_token_that_fits_in_no_header_is_named(server: AdminServer, token: str) -> None:
    told = refused(server.url, AdminApiUnusableError, token)
    assert "the token fits in no header" in told
    assert "pulumi config set --secret kongAdminToken" in told
    assert server.asked_root == 0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            (301, b"", {"Location": "https://u:canary@kong.example:8444/admin/?k=canary"}),
            "GET / to https://kong.example:8444/a",
        ),
        (
            (302, b"", {"Location": "/login"}),
            "it redirects GET / to /login. Set kongAdminUrl to where Kong itself",
        ),
        ((304, b""), "answered GET / with 304 (Not Modified) and nothing else"),
        ((200, b""), "no Kong Admin API: it answered GET / with 200 (OK) and nothing else"),
        (
            (200, b"<html>", HTML),
            "with 200 (OK, from nginx) and text/html. Check the host, the port and the path",
        ),
        ((404, b"<html>", HTML), "404 (Not Found, from nginx) and text/html"),
        ((404, b'{"message": "no workspace x"}'), "with 404 (no workspace x) and a body. Check the host"),
        ((200, b"[]"), "no Kong Admin API"),
        ((200, b"\xff\xfe"), "no Kong Admin API"),
        (
            (400, b"<h1>The plain HTTP request was sent to HTTPS port</h1>", HTML),
            "Begin kongAdminUrl with https://",
        ),
        (
            (404, b'{"message":"no Route matched with those values"}'),
            "Kong's proxy. Correct the port in kongAdminUrl",
        ),
    ],
)
def test_what_answers_and_is_no_kong_is_named(server: AdminServer, answer: Answer, says: str) -> None:
    server.root = answer
    assert says in refused(server.url, AdminApiUnusableError)
    assert server.asked_root == 1, "no second try makes it a Kong"


def test_a_load_balancer_without_a_kong_behind_it_is_named(server: AdminServer) -> None:
    server.root = (502, b"<html>", HTML)
    told = refused(server.url, AdminApiUnreachableError)
    assert "answered 502: Bad Gateway, from nginx. No Kong answers behind that" in told


def test_a_private_authority_is_trusted_by_the_environment(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with serving(AdminServer(pem)) as server:
        told = refused(server.url, AdminApiUnusableError)
        assert "an authority that is not trusted here (self-signed certificate)" in told
        assert "in the environment variable REQUESTS_CA_BUNDLE" in told
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        assert AdminApi(server.url).get("services", "x") == {"id": "x"}
        assert "is for another name" in refused(
            server.url.replace("localhost", "127.0.0.1"), AdminApiUnusableError
        )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
        assert "REQUESTS_CA_BUNDLE names no file" in refused(server.url, AdminApiUnusableError)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
        assert "without a certificate in PEM" in refused(server.url, AdminApiUnusableError)


def test_an_expired_certificate_of_the_admin_api_is_named(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem.write_text("".join(certificate("localhost", days=(-9, -1))))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with serving(AdminServer(pem)) as server:
        assert "its certificate is outdated" in refused(server.url, AdminApiUnusableError)


def test_another_version_of_tls_is_named() -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # RFC 8446, section 6: protocol_version
    with says(alert) as address:
        told = refused(f"https://{address}", AdminApiUnusableError)
    assert "TLS fails (TLSV1_ALERT_PROTOCOL_VERSION). Compare what TLS it takes" in told


def test_the_wrong_scheme_is_named_both_ways(server: AdminServer, pem: Path) -> None:
    told = refused(server.url.replace("http:", "https:"), AdminApiUnusableError)
    assert "does not speak TLS at that port. Begin kongAdminUrl with http://" in told
    with serving(AdminServer(pem)) as https:
        told = refused(https.url.replace("https:", "http:"), AdminApiUnreachableError)
    assert "begin it with https://" in told


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", r"nothing listens there \(.*\)\. Check the host and port in kongAdminUrl"),
        (
            "http://kong.invalid:8001",
            r"the name kong\.invalid is not found \(.*\)\. Check the host in kongAdminUrl",
        ),
    ],
)
def test_what_may_be_there_in_a_minute_is_unreachable(url: str, says: str) -> None:
    assert re.search(says, refused(url, AdminApiUnreachableError))


@pytest.mark.parametrize("url", ["http://a..b", "http://[::zz]:8001"])
def test_what_is_no_url_is_named(url: str) -> None:
    assert "no URL of a server. Correct kongAdminUrl" in refused(url, AdminApiUnusableError)


def test_what_speaks_no_http_is_named() -> None:
    with says(b"SSH-2.0-OpenSSH_9.6\r\n") as address:
        told = refused(f"http://{address}", AdminApiUnusableError)
    assert "does not speak HTTP. Check the port in kongAdminUrl" in told


def test_a_broken_answer_may_be_whole_the_next_time() -> None:
    with says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx") as address:
        assert "Check kongAdminUrl" in refused(f"http://{address}", AdminApiUnreachableError)


def test_an_error_that_is_met_while_another_is_handled_is_named_by_its_own_cause() -> None:
    with serving(AdminServer()) as server:
        api = AdminApi(server.url)
        api.get("services", "x")
    try:
        int("none")
    except ValueError:
        with pytest.raises(AdminApiUnreachableError, match="nothing listens there"):
            api.get("services", "x")


def test_silence_is_named() -> None:
    with says(b"") as address:
        assert "it takes the call, but does not answer in time" in refused(
            f"http://{address}", AdminApiUnreachableError
        )


def test_no_connection_is_told_from_silence() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # no more fit in: a further one is not answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        told = refused(f"http://127.0.0.1:{full.getsockname()[1]}", AdminApiUnreachableError)
    assert "no connection comes about in time. Check the host and port in kongAdminUrl" in told
