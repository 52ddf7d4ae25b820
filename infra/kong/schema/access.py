"""What guards a service: plugins, consumers with their keys, and certificates.

Field names and defaults are Kong's own:
Kong 3.x, `kong/db/schema/entities/*.lua`, and `daos.lua` of `kong/plugins/key-auth` and `kong/plugins/acl`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pulumi import Input

from infra.kong.schema.entity import Entity, Flag, Tags, Text, Texts, complete, fields_of
from infra.kong.schema.plugin_configs import CONFIGS, PluginConfig
from infra.kong.schema.validators import PROTOCOLS, boolean, each, is_name, mapping, one_of, text
from infra.props import UNKNOWN, Failure, Props


@dataclass(frozen=True, kw_only=True)
class PluginArgs:
    """A plugin with its config, for the requests of a service, a route or a consumer, each given by its id.

    The config is a class of plugin_configs.py, of which every field is managed, and which names the plugin; or,
    for any other plugin, a mapping, of which only the given keys are managed.
    """

    name: Annotated[Text, text] = None
    config: Annotated[Input[Mapping[str, Any]] | PluginConfig | None, mapping] = None
    instance_name: Annotated[Text, is_name] = None
    enabled: Annotated[Flag, boolean] = True
    protocols: Annotated[Texts, each(one_of(*PROTOCOLS), once=True)] = None
    """Left out, the plugin's own; of a plugin that plugin_configs.py doesn't have they are then not managed."""
    service: Annotated[Text, text] = None
    route: Annotated[Text, text] = None
    consumer: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class ConsumerArgs:
    """Who calls."""

    username: Annotated[Text, text] = None
    custom_id: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """A secret by which a consumer, given by its id, is known."""

    consumer: Annotated[Input[str], text]
    key: Annotated[Input[str], text]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class MembershipArgs:
    """That a consumer, given by its id or its username, is in a group that the plugin acl may name."""

    consumer: Annotated[Input[str], text]
    group: Annotated[Input[str], text]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """A certificate with its private key, a secret, in PEM."""

    cert: Annotated[Input[str], text]
    key: Annotated[Input[str], text]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class SniArgs:
    """A host name for which Kong shows a certificate, given by its id."""

    name: Annotated[Input[str], text]
    certificate: Annotated[Input[str], text]
    tags: Tags = None


def _need_a_name(consumer: Props) -> tuple[Props, list[Failure]]:
    if consumer["username"] or consumer["custom_id"]:
        return consumer, []
    return consumer, [Failure("username", "a consumer must have a username or a custom_id")]


def _with_config(plugin: Props) -> tuple[Props, list[Failure]]:
    if not plugin["name"]:
        return plugin, [Failure("name", "is missing: a config that is a mapping does not say of which plugin")]
    given = plugin["config"]
    known = CONFIGS.get(plugin["name"])
    if known is not None and plugin["protocols"] is None:
        plugin = plugin | {"protocols": list(known.protocols)}
    if given == UNKNOWN:
        return plugin, []
    if known is None:  # a null is what Kong has it be, as is what is left out
        return plugin | {"config": {name: value for name, value in (given or {}).items() if value is not None}}, []
    filled, failures = complete(fields_of(known), given or {}, "config.")
    # Another version of Kong may have fields that plugin_configs.py doesn't; Kong is asked about those.
    config = (given or {}) | filled
    if not failures and (reason := known.mistake(config)):
        failures = [Failure("config", reason)]
    return plugin | {"config": config}, failures


SCOPES: Mapping[str, str] = {"service": "services", "route": "routes", "consumer": "consumers"}
PLUGIN = Entity("plugins", PluginArgs, SCOPES, schema="plugins", finish=_with_config)
CONSUMER = Entity("consumers", ConsumerArgs, unique="username", schema="consumers", finish=_need_a_name)
KEY = Entity(
    "key-auth",
    KeyArgs,
    {"consumer": "consumers"},
    below="consumer",
    identity=("consumer",),
    secrets=frozenset({"key"}),
    schema="keyauth_credentials",
)
MEMBERSHIP = Entity(
    "acls",
    MembershipArgs,
    {"consumer": "consumers"},
    below="consumer",
    identity=("consumer", "group"),
    unique="group",
)
CERTIFICATE = Entity("certificates", CertificateArgs, secrets=frozenset({"key"}), schema="certificates")
SNI = Entity("snis", SniArgs, {"certificate": "certificates"}, unique="name", schema="snis")
