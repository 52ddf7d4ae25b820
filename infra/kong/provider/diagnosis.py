"""Why a call of Kong's Admin API failed, and which config key or variable to change."""

import http.client
import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, LocationParseError

from infra.kong.provider.session import Credentials

NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)
"""OpenSSL's reasons when the peer sends something other than TLS."""

TRANSPORT_ERRORS = (OSError, http.client.HTTPException, HTTPError, UnicodeError)
NAME_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
INVALID_DATE = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
CLIENT_CERTIFICATE = "the secrets kongAdminClientCertificate and kongAdminClientKey"
CLIENT_CERTIFICATE_ALERTS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
"""OpenSSL's reasons when the peer lacks, or does not accept, our certificate."""

BUNDLE = "the environment variable REQUESTS_CA_BUNDLE"
SET_TOKEN = "pulumi config set --secret kongAdminToken"  # noqa: S105 - a command


class Diagnosis(NamedTuple):
    """The reason of a failure, and what to do about it."""

    reason: str
    advice: str
    transient: bool = False
    """Whether a retry may succeed without a change of the config."""


def diagnose_error(url: str, error: Exception) -> Diagnosis:
    """Explain why a call got no response. The reason repeats no header, since one contains the token."""
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return _diagnose_tls(cause)
    match error:
        case requests.exceptions.InvalidHeader() | UnicodeEncodeError():
            return Diagnosis(
                "the token is not a valid header value: line breaks, outer white space and non-ASCII are not",
                f"Set it again: {SET_TOKEN}",
            )
        case requests.exceptions.InvalidURL() | LocationParseError():
            return Diagnosis("invalid URL", "Correct kongAdminUrl.")
        case requests.ConnectTimeout():
            return Diagnosis(
                "connection timed out",
                "Check the host and port in kongAdminUrl, and firewalls, or wait longer with kongAdminTimeout.",
                transient=True,
            )
        case requests.ReadTimeout():
            return Diagnosis(
                "connected, but got no response in time",
                "Check Kong and its database, or wait longer with kongAdminTimeout.",
                transient=True,
            )
    return _diagnose_connection(url, cause)


def _diagnose_connection(url: str, cause: BaseException) -> Diagnosis:
    match cause:
        case socket.gaierror():
            return Diagnosis(
                f"the host name {urlsplit(url).hostname} does not resolve ({cause.strerror})",
                "Check the host in kongAdminUrl, and this machine's DNS or VPN.",
                transient=True,
            )
        case ConnectionRefusedError():
            return Diagnosis(
                f"nothing listens on that port ({cause.strerror})",
                "Check the host and port in kongAdminUrl, and that Kong is running.",
                transient=True,
            )
        case ConnectionError() | http.client.IncompleteRead() | ssl.SSLEOFError():
            # A server may close the connection before its alert about a client certificate arrives.
            advice = (
                f"If it requires a client certificate, set {CLIENT_CERTIFICATE}."
                if url.startswith("https://")
                else "If the port is for HTTPS, use https://."
            )
            return Diagnosis(
                f"the connection was closed before a complete response ({cause})",
                f"Check kongAdminUrl, and that Kong is running. {advice}",
                transient=True,
            )
        case http.client.HTTPException():
            return Diagnosis("the server does not speak HTTP", "Check the port in kongAdminUrl.")
        case OSError() if "CA certificate bundle" in str(cause):  # the message of requests
            return Diagnosis(f"{BUNDLE} names a file that does not exist", "Correct or unset it.")
    return Diagnosis(str(cause), "Check kongAdminUrl, and that Kong is running.", transient=True)


def _diagnose_tls(cause: ssl.SSLError) -> Diagnosis:
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message.rstrip(".")
        if cause.verify_code in NAME_MISMATCH:
            return Diagnosis(f"its certificate is for another host ({reason})", "Use that host in kongAdminUrl.")
        if cause.verify_code in INVALID_DATE:
            return Diagnosis(
                f"its certificate is not valid today ({reason})", "Renew it, or set this machine's clock."
            )
        return Diagnosis(
            f"its certificate is not from a trusted CA ({reason})",
            "Set kongAdminCa to the certificate of the CA that signed it, or to a file with it, such as "
            "/etc/ssl/certs/ca-certificates.crt for a CA that this machine trusts",
        )
    if cause.reason in NOT_TLS:
        return Diagnosis(
            "the port does not speak TLS",
            "Use http:// in kongAdminUrl, or the port for HTTPS: Kong's default is 8444.",
        )
    if cause.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return Diagnosis(f"{BUNDLE} names a file without a PEM certificate", "Correct or unset it.")
    if cause.reason in CLIENT_CERTIFICATE_ALERTS:
        return Diagnosis(
            f"it requires a client certificate that it accepts ({cause.reason})", f"Set {CLIENT_CERTIFICATE}."
        )
    return Diagnosis(
        f"TLS handshake failed ({cause.reason or cause})",
        "Compare the TLS versions and ciphers that it accepts with those of this machine. "
        f"If it requires a client certificate, set {CLIENT_CERTIFICATE}.",
    )


def diagnose_denial(call: str, answer: requests.Response, message: str, credentials: Credentials) -> Diagnosis:
    """Explain a response with status 401, 403 or 407."""
    reason = f"access denied ({answer.status_code}: {message})"
    scheme = answer.headers.get("WWW-Authenticate", "").partition(" ")[0].lower()
    if answer.status_code == requests.codes.proxy_authentication:
        return Diagnosis(f"{reason} by a proxy", "Set kongAdminUrl to Kong's own address.")
    if answer.status_code == requests.codes.forbidden:
        if credentials.token:
            who = "the token in kongAdminToken"
        else:
            who = "the user in kongAdminUser" if credentials.user else "a request without a token"
        return Diagnosis(
            f"{reason}: {who} is not allowed to {call}",
            "Allow it in Kong's RBAC, or in the proxy in front of Kong: docs/kong-provider.md lists all calls. "
            f"Or set another token: {SET_TOKEN}",
        )
    if scheme == "basic":
        problem = "the user name or the password is wrong" if credentials.user else "it requires a user name"
        return Diagnosis(f"{reason}: {problem}", "Set kongAdminUser and the secret kongAdminPassword.")
    if scheme == "bearer":
        return Diagnosis(
            f"{reason}: it requires bearer authentication",
            "Set kongAdminTokenHeader to Authorization, and the secret kongAdminToken to 'Bearer ' and the token.",
        )
    if credentials.token:
        return Diagnosis(
            f"{reason}: the token was rejected",
            f"Set the right one ({SET_TOKEN}), and its header with kongAdminTokenHeader.",
        )
    return Diagnosis(reason, f"Set its token: {SET_TOKEN}")


def diagnose_response(call: str, answer: requests.Response, message: str) -> Diagnosis:
    """Explain why a response can't come from Kong's Admin API."""
    if answer.is_redirect:
        goal = re.sub("//[^/]*@", "//", answer.headers["Location"].partition("?")[0])
        return Diagnosis(
            f"it redirects {call} to {goal}",
            "Set kongAdminUrl to Kong's own address; redirects are not followed, to keep the token from others.",
        )
    text = answer.text[:10_000]
    if "plain HTTP request was sent to HTTPS port" in text:  # nginx's message
        return Diagnosis("the port is for HTTPS", "Use https:// in kongAdminUrl.")
    if "No required SSL certificate was sent" in text:  # nginx's message
        return Diagnosis("it requires a client certificate", f"Set {CLIENT_CERTIFICATE}.")
    if "The SSL certificate error" in text:  # nginx's message
        return Diagnosis("it does not accept the client certificate", f"Set others: {CLIENT_CERTIFICATE}.")
    if "no Route matched" in text:  # kong/runloop/handler.lua
        return Diagnosis(
            "this is Kong's proxy, not its Admin API",
            "Correct the port in kongAdminUrl: Kong's defaults are 8001, and 8444 for HTTPS.",
        )
    body = answer.headers.get("Content-Type", "").partition(";")[0] or "a body" if text else "no body"
    return Diagnosis(
        f"this is not Kong's Admin API: {call} returned {answer.status_code} ({message}) with {body}",
        "Check the host, the port and the path in kongAdminUrl.",
    )


def _root_cause(error: BaseException) -> BaseException:
    """Return the operating system's error, without the layers that wrap it."""
    while isinstance(error.__context__, TRANSPORT_ERRORS):
        error = error.__context__
    return error
