"""What guards a service: plugins, consumers with their keys, and certificates.

Field names and defaults are Kong's own:
Kong 3.x, `kong/db/schema/entities/*.lua` and `kong/plugins/key-auth/daos.lua`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pulumi import Input

from infra.kong.entities import Entity, Flag, Number, Tags, Text, Texts
from infra.kong.rules import PROTOCOLS, between, boolean, each, is_name, mapping, one_of, text
from infra.plugin import Failure, Props


@dataclass(frozen=True, kw_only=True)
class KongPluginArgs:
    """A plugin with its config, for the requests of a service, a route or a consumer, each given by its id.

    Of the config only what is given is managed, `{}` for nothing; the rest is as the plugin has it.
    """

    name: Annotated[Input[str], text]
    config: Annotated[Input[Mapping[str, Any]], mapping]
    instance_name: Annotated[Text, is_name] = None
    enabled: Annotated[Flag, boolean] = True
    protocols: Annotated[Texts, each(one_of(*PROTOCOLS))] = ("grpc", "grpcs", "http", "https")
    service: Annotated[Text, text] = None
    route: Annotated[Text, text] = None
    consumer: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongConsumerArgs:
    """Who calls."""

    username: Annotated[Text, text] = None
    custom_id: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongKeyArgs:
    """A secret by which a consumer, given by its id, is known."""

    consumer: Annotated[Input[str], text]
    key: Annotated[Input[str], text]
    ttl: Annotated[Number, between(0, 100_000_000)] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongCertificateArgs:
    """A certificate with its private key, a secret, in PEM."""

    cert: Annotated[Input[str], text]
    key: Annotated[Input[str], text]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KongSniArgs:
    """A host name for which Kong shows a certificate, given by its id."""

    name: Annotated[Input[str], text]
    certificate: Annotated[Input[str], text]
    tags: Tags = None


def _need_a_name(consumer: Props) -> list[Failure]:
    if consumer["username"] or consumer["custom_id"]:
        return []
    return [Failure("username", "a consumer must have a username or a custom_id")]


_SCOPES: Mapping[str, str] = {"service": "services", "route": "routes", "consumer": "consumers"}
PLUGIN = Entity("plugins", KongPluginArgs, _SCOPES)
CONSUMER = Entity("consumers", KongConsumerArgs, rule=_need_a_name)
KEY = Entity("key-auth", KongKeyArgs, {"consumer": "consumers"})
CERTIFICATE = Entity("certificates", KongCertificateArgs)
SNI = Entity("snis", KongSniArgs, {"certificate": "certificates"})
