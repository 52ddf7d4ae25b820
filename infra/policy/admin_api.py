"""The rule for how the provider reaches Kong's Admin API."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from infra.policy.declared import Declared, rule
from infra.props import UNKNOWN

KONG = "pulumi:providers:kong"


@rule("encrypted-admin-api", "Credentials reach the Admin API only encrypted, or on this machine.", KONG)
def encrypted(provider: Declared) -> Iterator[str]:
    url = provider.get("adminUrl")
    if url in (None, UNKNOWN) or not (provider.get("token") or provider.get("password")):
        return
    parts = urlsplit(str(url))
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        yield f"sends its token or password to {parts.hostname} in plain text; use https:// in `kongAdminUrl`"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
