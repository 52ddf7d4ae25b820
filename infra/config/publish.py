"""The config key `publish`: where a gateway outside of the Docker network reaches the replicas."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from infra.config.parsers import InvalidValueError
from infra.config.reader import ConfigReader

RANGE = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[0-9.]+):(?P<first>[0-9]{1,5})-(?P<last>[0-9]{1,5})")
EXAMPLE = "10.0.0.5:8080-8095"
MAX_PORT = 65535
PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # shared by the customers of a provider, and used by VPNs
        "127.0.0.0/8",
        "fc00::/7",
        "::1/128",
    )
]


def is_private_address(text: str) -> bool:
    """Return whether an address belongs to a private network or to one host alone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in PRIVATE_NETWORKS)


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    """An address of the engine's host, and its ports for the replicas."""

    address: str
    ports: range

    @classmethod
    def read(cls, config: ConfigReader) -> Self | None:
        return config.optional("publish", cls.parse)

    @classmethod
    def parse(cls, value: str) -> Self:
        """Accept ADDRESS:FIRST-LAST with a private address, an IPv6 one in brackets."""
        found = RANGE.fullmatch(value)
        try:
            address = ipaddress.ip_address(found["host"].strip("[]")) if found else None
        except ValueError:
            address = None
        if found is None or address is None or (address.version == 6) != value.startswith("["):
            raise InvalidValueError(f"must be ADDRESS:FIRST-LAST, such as {EXAMPLE}, not {value!r}")
        if address.is_unspecified:
            raise InvalidValueError(
                f"must not be {address}, which is every address of the engine's host, public ones too: name the "
                f"private one that the gateway reaches, such as {EXAMPLE}"
            )
        if not is_private_address(str(address)):
            raise InvalidValueError(
                f"must have a private address of the engine's host, which {address} is not: whoever reaches it is "
                f"past the gateway's checks. Name one that the gateway reaches, such as {EXAMPLE}"
            )
        first, last = int(found["first"]), int(found["last"])
        if not 0 < first <= last <= MAX_PORT:
            raise InvalidValueError(f"must have ports from 1 to {MAX_PORT}, the lower one first, not {value!r}")
        return cls(address=str(address), ports=range(first, last + 1))

    def conflict(self, replicas: int) -> str | None:
        """Return why there are too few ports, if so."""
        if len(self.ports) >= 2 * replicas:
            return None
        return (
            f"publish has {len(self.ports)} ports, but {replicas} replicas need {2 * replicas}: an update starts "
            "the new ones before it removes the old ones, which keep theirs until then"
        )

    def halves(self) -> list[range]:
        """Return the two ranges that versions take in turns."""
        half = len(self.ports) // 2
        return [self.ports[:half], self.ports[half : 2 * half]]
