"""The config keys of the public name: where it points, and who sets its records."""

from dataclasses import dataclass
from typing import Self

from infra.config import parsers
from infra.config.parsers import InvalidValueError, boolean, one_of, whole_number
from infra.config.reader import ConfigReader

MAX_TTL = 2**31 - 1  # RFC 2181, section 8


@dataclass(frozen=True, kw_only=True)
class AliasTarget:
    """A load balancer, or another AWS resource, that Route 53 answers for in place of addresses."""

    name: str
    zone_id: str
    """The zone of the load balancer itself, which AWS shows as its canonical hosted zone."""
    ipv6: bool
    """Whether it has IPv6 addresses too (dual stack)."""


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """The records of the public name."""

    hostname: str
    zone_id: str | None
    """The zone in Route 53; None if the records are set by hand elsewhere."""
    ipv4_addresses: list[str]
    ipv6_addresses: list[str]
    alias: AliasTarget | None
    """In place of addresses."""
    ttl: int
    adopt: bool

    @classmethod
    def read(cls, config: ConfigReader) -> Self:
        dns = config.required("dns", one_of("route53", "none"))
        if dns == "none":
            config.ignore_keys(["hostedZoneId"])
        addresses = config.structured("gatewayAddresses", parsers.addresses)
        alias = config.structured("gatewayAlias", _alias)
        if config.accepted("gatewayAddresses", "gatewayAlias"):
            if not (addresses or alias):
                config.reject("gatewayAddresses is missing; set the gateway's public addresses, or gatewayAlias")
            if addresses and alias:
                config.reject("gatewayAddresses and gatewayAlias exclude each other: set one of them")
        zone_id = None if dns == "none" else config.optional("hostedZoneId", parsers.zone_id)
        if dns == "route53" and zone_id is None and config.accepted("hostedZoneId"):
            config.reject(
                "hostedZoneId is missing; set the zone's id, or dns to none if the record is not in Route 53"
            )
        return cls(
            hostname=config.required("hostname", parsers.hostname),
            zone_id=zone_id,
            ipv4_addresses=[address for address in addresses or [] if ":" not in address],
            ipv6_addresses=[address for address in addresses or [] if ":" in address],
            alias=alias,
            ttl=config.required("ttl", whole_number(1, MAX_TTL)),
            adopt=config.required("adoptRecord", boolean),
        )

    def to_set_by_hand(self) -> dict[str, object]:
        """Return the records for whoever sets them by hand, in the form of the output `record`."""
        alias = {"alias": self.alias.name} if self.alias else {"ttl": self.ttl}
        return {"name": self.hostname, "addresses": [*self.ipv4_addresses, *self.ipv6_addresses], **alias}


def _alias(value: object) -> AliasTarget | None:
    """Accept a map with the name and the zone id of an alias target; None if it is empty."""
    if not value:
        return None
    if not isinstance(value, dict) or not {"name", "zoneId"} <= value.keys() <= {"name", "zoneId", "ipv6"}:
        raise InvalidValueError("must be a map with name and zoneId of a load balancer, and ipv6 if it has both")
    ipv6 = value.get("ipv6", False)
    if not isinstance(ipv6, bool):
        raise InvalidValueError("must have true or false as ipv6")
    try:
        return AliasTarget(
            name=parsers.hostname(str(value["name"])), zone_id=parsers.zone_id(str(value["zoneId"])), ipv6=ipv6
        )
    except InvalidValueError as error:
        raise InvalidValueError(f"must be a map with name and zoneId, one of which {error}") from error
