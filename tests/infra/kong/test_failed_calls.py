"""The whole text about each failed call: why it failed, and what to do."""

import http.client
import io
import socket
import ssl

import pytest
import requests
from urllib3.exceptions import LocationParseError

from infra.kong.provider.diagnosis import (
    CLIENT_CERTIFICATE_ALERTS,
    NOT_TLS,
    Diagnosis,
    diagnose_denial,
    diagnose_error,
    diagnose_response,
)
from infra.kong.provider.session import Credentials

SET_TOKEN = "pulumi config set --secret kongAdminToken"  # noqa: S105 - a command
CERTIFICATE = "the secrets kongAdminClientCertificate and kongAdminClientKey"
TOKEN, USER, NOTHING = Credentials(token="t"), Credentials(user="u"), Credentials()  # noqa: S106 - none


def response(status: int, text: str = "", **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer.raw = status, io.BytesIO(text.encode())
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


def untrusted(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, message
    return error


def handshake(reason: str) -> ssl.SSLError:
    error = ssl.SSLError("what OpenSSL says")
    error.reason = reason
    return error


NO_PEM = Diagnosis(
    "the environment variable REQUESTS_CA_BUNDLE names a file without a PEM certificate", "Correct or unset it."
)
INVALID_TOKEN = Diagnosis(
    "the token is not a valid header value: line breaks, outer white space and non-ASCII are not",
    f"Set it again: {SET_TOKEN}",
)


@pytest.mark.parametrize(
    ("error", "reason", "advice", "transient"),
    [
        (requests.exceptions.InvalidHeader(), *INVALID_TOKEN),
        (UnicodeEncodeError("latin-1", "€", 0, 1, ""), *INVALID_TOKEN),
        (requests.exceptions.InvalidURL(), "invalid URL", "Correct kongAdminUrl.", False),
        (LocationParseError("a..b"), "invalid URL", "Correct kongAdminUrl.", False),
        (
            requests.ConnectTimeout(),
            "connection timed out",
            "Check the host and port in kongAdminUrl, and firewalls, or wait longer with kongAdminTimeout.",
            True,
        ),
        (
            requests.ReadTimeout(),
            "connected, but got no response in time",
            "Check Kong and its database, or wait longer with kongAdminTimeout.",
            True,
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            "the host name kong.example does not resolve (Name or service not known)",
            "Check the host in kongAdminUrl, and this machine's DNS or VPN.",
            True,
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "nothing listens on that port (Connection refused)",
            "Check the host and port in kongAdminUrl, and that Kong is running.",
            True,
        ),
        (
            ConnectionResetError("reset"),
            "the connection was closed before a complete response (reset)",
            "Check kongAdminUrl, and that Kong is running. If the port is for HTTPS, use https://.",
            True,
        ),
        (
            http.client.BadStatusLine(""),
            "the server does not speak HTTP",
            "Check the port in kongAdminUrl.",
            False,
        ),
        (
            OSError("Could not find a suitable TLS CA certificate bundle"),
            "the environment variable REQUESTS_CA_BUNDLE names a file that does not exist",
            "Correct or unset it.",
            False,
        ),
        (OSError("no route"), "no route", "Check kongAdminUrl, and that Kong is running.", True),
        (
            untrusted(62, "Hostname mismatch."),
            "its certificate is for another host (Hostname mismatch)",
            "Use that host in kongAdminUrl.",
            False,
        ),
        (
            untrusted(10, "certificate has expired"),
            "its certificate is not valid today (certificate has expired)",
            "Renew it, or set this machine's clock.",
            False,
        ),
        (
            untrusted(18, "self-signed certificate"),
            "its certificate is not from a trusted CA (self-signed certificate)",
            (
                "Set kongAdminCa to the certificate of the CA that signed it, or to a file with it, such as "
                "/etc/ssl/certs/ca-certificates.crt for a CA that this machine trusts"
            ),
            False,
        ),
        (handshake("NO_CERTIFICATE_OR_CRL_FOUND"), *NO_PEM),
        (
            handshake("TLSV1_ALERT_PROTOCOL_VERSION"),
            "TLS handshake failed (TLSV1_ALERT_PROTOCOL_VERSION)",
            (
                "Compare the TLS versions and ciphers that it accepts with those of this machine. "
                f"If it requires a client certificate, set {CERTIFICATE}."
            ),
            False,
        ),
        *(
            (
                handshake(reason),
                "the port does not speak TLS",
                "Use http:// in kongAdminUrl, or the port for HTTPS: Kong's default is 8444.",
                False,
            )
            for reason in sorted(NOT_TLS)
        ),
        *(
            (
                handshake(reason),
                f"it requires a client certificate that it accepts ({reason})",
                f"Set {CERTIFICATE}.",
                False,
            )
            for reason in sorted(CLIENT_CERTIFICATE_ALERTS)
        ),
    ],
)
def test_a_call_without_a_response(error: Exception, reason: str, advice: str, transient: bool) -> None:
    assert diagnose_error("http://kong.example:8001", error) == Diagnosis(reason, advice, transient)


def test_an_https_connection_that_is_closed_may_lack_a_certificate() -> None:
    closed = Diagnosis(
        "the connection was closed before a complete response (IncompleteRead(0 bytes read))",
        f"Check kongAdminUrl, and that Kong is running. If it requires a client certificate, set {CERTIFICATE}.",
        transient=True,
    )
    assert diagnose_error("https://kong.example", http.client.IncompleteRead(b"")) == closed


RBAC = (
    "Allow it in Kong's RBAC, or in the proxy in front of Kong: docs/kong-provider.md lists all calls. "
    f"Or set another token: {SET_TOKEN}"
)
BASIC = "Set kongAdminUser and the secret kongAdminPassword."


@pytest.mark.parametrize(
    ("status", "scheme", "credentials", "reason", "advice"),
    [
        (407, "Basic", TOKEN, " by a proxy", "Set kongAdminUrl to Kong's own address."),
        (403, "", TOKEN, ": the token in kongAdminToken is not allowed to GET /", RBAC),
        (403, "", USER, ": the user in kongAdminUser is not allowed to GET /", RBAC),
        (403, "", NOTHING, ": a request without a token is not allowed to GET /", RBAC),
        (401, 'Basic realm="x"', USER, ": the user name or the password is wrong", BASIC),
        (401, "basic", NOTHING, ": it requires a user name", BASIC),
        (
            401,
            "Bearer",
            TOKEN,
            ": it requires bearer authentication",
            "Set kongAdminTokenHeader to Authorization, and the secret kongAdminToken to 'Bearer ' and the token.",
        ),
        (
            401,
            "",
            TOKEN,
            ": the token was rejected",
            f"Set the right one ({SET_TOKEN}), and its header with kongAdminTokenHeader.",
        ),
        (401, "", NOTHING, "", f"Set its token: {SET_TOKEN}"),
    ],
)
def test_a_denial(status: int, scheme: str, credentials: Credentials, reason: str, advice: str) -> None:
    answer = response(status, WWW_Authenticate=scheme) if scheme else response(status)
    found = diagnose_denial("GET /", answer, "no", credentials)
    assert found == Diagnosis(f"access denied ({status}: no){reason}", advice)


OTHER = "this is not Kong's Admin API: GET / returned 200 (OK) with"
CHECK = "Check the host, the port and the path in kongAdminUrl."
NOT_FOLLOWED = "Set kongAdminUrl to Kong's own address; redirects are not followed, to keep the token from others."


@pytest.mark.parametrize(
    ("answer", "reason", "advice"),
    [
        (
            response(302, Location="https://u:p@a.example/x?k=v"),
            "it redirects GET / to https://a.example/x",
            NOT_FOLLOWED,
        ),
        (
            response(400, "The plain HTTP request was sent to HTTPS port"),
            "the port is for HTTPS",
            "Use https:// in kongAdminUrl.",
        ),
        (
            response(400, "No required SSL certificate was sent"),
            "it requires a client certificate",
            f"Set {CERTIFICATE}.",
        ),
        (
            response(400, "The SSL certificate error"),
            "it does not accept the client certificate",
            f"Set others: {CERTIFICATE}.",
        ),
        (
            response(404, '{"message":"no Route matched with those values"}'),
            "this is Kong's proxy, not its Admin API",
            "Correct the port in kongAdminUrl: Kong's defaults are 8001, and 8444 for HTTPS.",
        ),
        (response(200), f"{OTHER} no body", CHECK),
        (response(200, "x"), f"{OTHER} a body", CHECK),
        (response(200, "x", Content_Type="text/html; charset=utf-8"), f"{OTHER} text/html", CHECK),
    ],
)
def test_a_response_that_is_not_of_kong(answer: requests.Response, reason: str, advice: str) -> None:
    assert diagnose_response("GET /", answer, "OK") == Diagnosis(reason, advice)
