"""Checks of single values: each returns None, or the error in Kong's wording."""

import ipaddress
import os
import re
import ssl
import uuid
from collections.abc import Callable, Collection
from typing import Any

Check = Callable[[Any], Any]  # returns None or an error: a text, or for a record texts by field


def is_uuid(value: str) -> bool:
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def uuid_text(value: str) -> str | None:
    return None if is_uuid(value) else "expected a valid UUID"


def between(low: int, high: int) -> Check:
    return lambda value: None if low <= value <= high else f"value should be between {low} and {high}"


def above(low: int) -> Check:
    return lambda value: None if value > low else f"value must be greater than {low}"


def one_of(*values: object) -> Check:
    return lambda value: None if value in values else f"expected one of: {', '.join(map(str, values))}"


def required(value: object) -> str | None:
    return "required field missing" if value is None else None


def unset(value: object) -> str | None:
    return None if value is None else "value must be null"


def not_empty(value: Collection[object]) -> str | None:
    return None if value else "length must be at least 1"


def name(value: str) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9.\-_~\u0080-\U0010ffff]+", value):
        return None
    return f"invalid value '{value}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"


def tag(value: str) -> str | None:
    if value and value.isprintable() and not set(value) & set(",/"):
        return None
    return f"invalid tag '{value}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"


def split_address(value: str) -> tuple[str, int | None, str] | None:
    """Return (host, port or None, "ipv4" | "ipv6" | "name"); None if it is no address (kong/tools/ip.lua)."""
    kind = "ipv6" if value.count(":") > 1 else "ipv4" if re.fullmatch(r"[\d.:]+", value, re.ASCII) else "name"
    form = r"\[(.+)\](?::(\d+))?|([^\[\]]+)()" if kind == "ipv6" else r"()()([^:]+)(?::(\d+))?"
    found = re.fullmatch(form, value)
    if found is None:
        return None
    host, port = found[1] or found[3], found[2] or found[4]
    if port and int(port) > 65535:
        return None
    try:
        if kind == "ipv6":
            host = ipaddress.IPv6Address(host).exploded
        elif kind == "ipv4":
            host = str(ipaddress.IPv4Address(".".join(str(int(part)) for part in host.split("."))))
        elif not all(re.fullmatch(r"[\w-]*\w", label, re.ASCII) for label in host.removesuffix(".").split(".")):
            return None
    except ValueError:
        return None
    return host, int(port) if port else None, kind


def host(value: str) -> str | None:
    address = split_address(value)
    if address is None and split_address(value.rpartition(":")[0]) is None:
        return f"invalid value: {value}"
    return "must not have a port" if address is None or address[1] is not None else None


def host_and_port(value: str) -> str | None:
    return None if split_address(value) else f"invalid hostname: {value}"


def address_or_network(value: str) -> str | None:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"invalid ip or cidr range: '{value}'"
    return None


def server_name(value: str) -> str | None:
    if value.find("*") not in (-1, 0, len(value) - 1):
        return "wildcard must be leftmost or rightmost character"
    if value.count("*") > 1:
        return "only one wildcard must be specified"
    plain = value.replace("*", "wildcard")
    address = split_address(plain)
    return "must not be an IP" if address and address[2] != "name" else host(plain)


def upstream_name(value: str) -> str | None:
    match split_address(value):
        case None:
            return f"Invalid name ('{value}'); must be a valid hostname"
        case (_, _, "ipv4" | "ipv6"):
            return f"Invalid name ('{value}'); no ip addresses allowed"
        case (_, int(), _):
            return f"Invalid name ('{value}'); no port allowed"
    return None


def target(value: str) -> str | None:
    return None if split_address(value) else "Invalid target; not a valid hostname or ip address"


def route_host(value: str) -> str | None:
    if split_address(value.replace("*", "abc")) is None:
        return f"invalid hostname: {value}"
    if value.count("*") > 1:
        return "invalid wildcard: must have at most one wildcard"
    labels = value.partition(":")[0].split(".")
    if "*" in value and (len(labels) < 2 or "*" not in (labels[0], labels[-1])):
        return "invalid wildcard: must be placed at leftmost or rightmost label"
    return None


def token(value: str) -> str | None:
    # kong/tools/http.lua, validate_http_token
    wrong = re.search(r'[^!-~]|[()<>@,;:\\"/?={}\[\]]', value)
    return "contains one or more invalid characters" if wrong else None


def http_method(value: str) -> str | None:
    return None if re.fullmatch("[A-Z]+", value) else f"invalid value: {value}"


def header_name(value: str) -> str | None:
    if re.fullmatch("[A-Za-z0-9_-]+", value):
        return None
    return f"bad header name '{value}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"


def no_host_header(value: str) -> str | None:
    if value.lower() == "host":
        return "cannot contain 'host' header, which must be specified in the 'hosts' attribute"
    return None


def certificate(value: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)
    except (ssl.SSLError, ValueError) as error:
        return f"invalid certificate: {type(error).__name__}"
    return None


def private_key(value: str) -> str | None:
    found = re.search(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.+-----END", value, re.DOTALL)
    return None if found else "invalid key: no PEM private key"


def matching_pair(certificate: str, key: str) -> bool:
    """Return whether the key belongs to the certificate. Python's ssl reads them from files: here in memory."""
    folder = "/proc/self/fd"
    pair = [os.memfd_create(name) for name in ("certificate", "key")]
    try:
        for memory, text in zip(pair, (certificate, key), strict=True):
            os.write(memory, text.encode())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"{folder}/{pair[0]}", f"{folder}/{pair[1]}")
    except ssl.SSLError:
        return False
    finally:
        for memory in pair:
            os.close(memory)
    return True
