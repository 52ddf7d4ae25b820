"""Why Kong's Admin API gave no answer of use: the cause in plain words, and the key or variable to change."""

import http.client
import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, LocationParseError

PLAIN = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)
"""OpenSSL's reasons for bytes that are no TLS."""

TRANSPORT = (OSError, http.client.HTTPException, HTTPError, UnicodeError)
OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
OUTDATED = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
BUNDLE = "the environment variable REQUESTS_CA_BUNDLE"


class Fault(NamedTuple):
    """What is wrong, and what to do about it."""

    reason: str
    advice: str
    passes: bool = False
    """Whether it may be over in a minute, without a change of the config."""


def of_error(url: str, error: Exception) -> Fault:
    """Why a call got no answer. It repeats no header: the token is in one."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return _of_tls(cause)
    match error:
        case requests.exceptions.InvalidHeader() | UnicodeEncodeError():
            return Fault(
                "the token fits in no header: it has a line end, a space around it, or a character outside ASCII",
                "Set it again: pulumi config set --secret kongAdminToken",
            )
        case requests.exceptions.InvalidURL() | LocationParseError():
            return Fault("that is no URL of a server", "Correct kongAdminUrl.")
        case requests.ConnectTimeout():
            return Fault(
                "no connection comes about in time",
                "Check the host and port in kongAdminUrl, and the firewalls on the way.",
                passes=True,
            )
        case requests.ReadTimeout():
            return Fault(
                "it takes the call, but does not answer in time", "Check Kong and its database.", passes=True
            )
    return _of_connection(url, cause)


def _of_connection(url: str, cause: BaseException) -> Fault:
    match cause:
        case socket.gaierror():
            return Fault(
                f"the name {urlsplit(url).hostname} is not found ({cause.strerror})",
                "Check the host in kongAdminUrl, and this machine's DNS or VPN.",
                passes=True,
            )
        case ConnectionRefusedError():
            return Fault(
                f"nothing listens there ({cause.strerror})",
                "Check the host and port in kongAdminUrl, and that Kong runs there.",
                passes=True,
            )
        case ConnectionError() | http.client.IncompleteRead() | ssl.SSLEOFError():
            https = " If Kong speaks HTTPS there, begin it with https://." if url.startswith("http://") else ""
            return Fault(
                f"it ends the connection without a whole answer ({cause})",
                f"Check kongAdminUrl, and that Kong runs there.{https}",
                passes=True,
            )
        case http.client.HTTPException():
            return Fault("what listens there does not speak HTTP", "Check the port in kongAdminUrl.")
        case OSError() if "CA certificate bundle" in str(cause):  # requests' own words
            return Fault(f"{BUNDLE} names no file", "Correct or unset it.")
    return Fault(str(cause), "Check kongAdminUrl, and that Kong runs there.", passes=True)


def _of_tls(cause: ssl.SSLError) -> Fault:
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = cause.verify_message.rstrip(".")
        if cause.verify_code in OTHER_NAME:
            return Fault(f"its certificate is for another name ({said})", "Put its own name into kongAdminUrl.")
        if cause.verify_code in OUTDATED:
            return Fault(
                f"its certificate is outdated, or this machine's clock is wrong ({said})",
                "Renew it, or set the clock.",
            )
        return Fault(
            f"its certificate comes from an authority that is not trusted here ({said})",
            f"Name a file with that authority's certificate in {BUNDLE}; "
            "for one that this machine trusts already: /etc/ssl/certs/ca-certificates.crt",
        )
    if cause.reason in PLAIN:
        return Fault(
            "it does not speak TLS at that port",
            "Begin kongAdminUrl with http://, or give the port for HTTPS: Kong's own is 8444.",
        )
    if cause.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return Fault(f"{BUNDLE} names a file without a certificate in PEM", "Correct or unset it.")
    return Fault(
        f"TLS fails ({cause.reason or cause})",
        "Compare what TLS it takes (versions, ciphers, clients' certificates) with what this machine has.",
    )


def of_denial(call: str, answer: requests.Response, said: str, *, has_token: bool) -> Fault:
    """Why 401, 403 or 407 was answered."""
    reason = f"access is denied ({answer.status_code}: {said})"
    scheme = answer.headers.get("WWW-Authenticate", "").partition(" ")[0].lower()
    if answer.status_code == requests.codes.proxy_authentication:
        return Fault(f"{reason}: that is a proxy", "Set kongAdminUrl to Kong's own address.")
    if answer.status_code == requests.codes.forbidden:
        who = "the token in kongAdminToken" if has_token else "a call without a token"
        return Fault(
            f"{reason}: {who} may not {call}",
            "Allow it in Kong's RBAC, or in what stands before Kong: docs/kong-provider.md lists what the "
            "provider calls. Or set another token: pulumi config set --secret kongAdminToken",
        )
    if scheme in ("basic", "bearer"):
        value = {"basic": "'Basic ' and the base64 of USER:PASSWORD", "bearer": "'Bearer ' and the token"}[scheme]
        return Fault(
            f"{reason}: it wants {scheme} authentication",
            f"Set kongAdminTokenHeader to Authorization, and the secret kongAdminToken to {value}.",
        )
    if has_token:
        return Fault(
            f"{reason}: the token is refused",
            "Set the right one (pulumi config set --secret kongAdminToken), and in kongAdminTokenHeader the "
            "header that it is wanted in.",
        )
    return Fault(reason, "Set its token with: pulumi config set --secret kongAdminToken")


def of_stranger(call: str, answer: requests.Response, said: str) -> Fault:
    """Why an answer is none of Kong's Admin API."""
    if answer.is_redirect:
        goal = re.sub("//[^/]*@", "//", answer.headers["Location"].partition("?")[0])
        return Fault(
            f"it redirects {call} to {goal}",
            "Set kongAdminUrl to where Kong itself answers; a redirect is not followed, since the token would be.",
        )
    text = answer.text[:10_000]
    if "plain HTTP request was sent to HTTPS port" in text:  # nginx's words
        return Fault("it speaks HTTPS at that port", "Begin kongAdminUrl with https://")
    if "No required SSL certificate was sent" in text:  # nginx's words
        return Fault("it wants a client's certificate", "Name an address in kongAdminUrl that takes a token.")
    if "no Route matched" in text:  # kong/runloop/handler.lua
        return Fault(
            "that is no Kong Admin API, but Kong's proxy",
            "Correct the port in kongAdminUrl: Kong's own are 8001, and 8444 for HTTPS.",
        )
    kind = answer.headers.get("Content-Type", "").partition(";")[0] or "a body" if text else "nothing else"
    return Fault(
        f"that is no Kong Admin API: it answered {call} with {answer.status_code} ({said}) and {kind}",
        "Check the host, the port and the path in kongAdminUrl.",
    )


def _root(error: BaseException) -> BaseException:
    """What the operating system said, without the layers that pass it on."""
    while isinstance(error.__context__, TRANSPORT):
        error = error.__context__
    return error
