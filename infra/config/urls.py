"""Parsers of config values that are URLs. No error repeats one, since it may contain a password."""

import ipaddress
import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from infra.config.parsers import InvalidValueError

PRINTABLE = re.compile(r"[!-~]+")
HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
SOCKET_EXAMPLES = {"unix": "unix:///var/run/docker.sock", "npipe": "npipe:////./pipe/docker_engine"}


def url(*schemes: str) -> Callable[[str], str]:
    """Accept a URL of one of the schemes, without a password or a query."""

    def parse(value: str) -> str:
        scheme = value.partition("://")[0]
        if scheme not in schemes:
            raise InvalidValueError(
                f"must be a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            )
        if not PRINTABLE.fullmatch(value):
            raise InvalidValueError("must not contain white space or non-ASCII characters (host names: Punycode)")
        try:
            parts = urlsplit(value)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidValueError("must contain a valid host, and a port up to 65535, if any") from error
        if parts.password is not None or "?" in value or "#" in value:
            raise InvalidValueError("must not contain a password, a query or a fragment")
        if scheme in SOCKET_EXAMPLES:
            if host or not parts.path.strip("/."):
                raise InvalidValueError(f"must be the path of a socket, such as {SOCKET_EXAMPLES[scheme]}")
        elif not (host and _is_host(host)) or port == 0:
            raise InvalidValueError("must contain a host name or IP address, and a port from 1 to 65535, if any")
        elif scheme == "tcp" and port is None:
            raise InvalidValueError("must contain a port, such as tcp://host:2376")
        elif parts.username is not None and scheme != "ssh":
            raise InvalidValueError("must not contain a user name")
        return value

    return parse


def _is_host(value: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(value))
    # A last label that is a number makes it an IPv4 address in a legacy form (127.1, 0x7f.1), which programs
    # parse differently.
    return HOST.fullmatch(value) is not None and not NUMBER.fullmatch(value.rpartition(".")[2])


def database_url(folder: str) -> Callable[[str], str]:
    """Accept a database URL, with SQLite's file below `folder`."""

    def parse(value: str) -> str:
        if not PRINTABLE.fullmatch(value):
            raise InvalidValueError("must not contain white space or non-ASCII characters; percent-encode them")
        if value.startswith("postgresql://"):
            if not value.removeprefix("postgresql://").partition("/")[2].partition("?")[0]:
                raise InvalidValueError("must contain a database name: postgresql://user:password@host/database")
        elif not value.startswith("sqlite:///"):
            raise InvalidValueError("must start with sqlite:/// or postgresql://")
        else:
            file = posixpath.join(posixpath.dirname(folder), value.removeprefix("sqlite:///").partition("?")[0])
            if not posixpath.normpath(file).startswith(f"{folder}/"):
                raise InvalidValueError(
                    f"must be a file in {folder}, where the volume is mounted: sqlite:///{folder}/NAME.db"
                )
        return value

    return parse
