"""Plugins, consumers with their keys and groups, and certificates: every managed field, as in routing.py.

Names and defaults are those of Kong 3.x: `kong/db/schema/entities/*.lua`, and `daos.lua` of key-auth and acl.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from infra.kong.schema.entity import Entity, Flag, Input, Tags, Text, Texts, fields_of, fill_defaults
from infra.kong.schema.plugin_configs import CONFIGS, PluginConfig
from infra.kong.schema.validators import PROTOCOLS, boolean, each, is_name, mapping, one_of, secret, text
from infra.props import UNKNOWN, Failure, Props


@dataclass(frozen=True, kw_only=True)
class PluginArgs:
    """A plugin for the requests of a service, a route or a consumer, each given by its id.

    The config is a class of plugin_configs.py, of which every field is managed, and which names the plugin; or,
    for any other plugin, a mapping, of which only the given keys are managed.
    """

    name: Annotated[Text, text] = None
    config: Annotated[Input[Mapping[str, Any]] | PluginConfig | None, mapping] = None
    instance_name: Annotated[Text, is_name] = None
    enabled: Annotated[Flag, boolean] = True
    protocols: Annotated[Texts, each(one_of(*PROTOCOLS), unique=True)] = None
    """The plugin's own by default; those of a plugin without a class in plugin_configs.py are then not managed."""
    service: Annotated[Text, text] = None
    route: Annotated[Text, text] = None
    consumer: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class ConsumerArgs:
    """An API client that Kong authenticates."""

    username: Annotated[Text, text] = None
    custom_id: Annotated[Text, text] = None
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """A key-auth credential of a consumer, given by its id."""

    consumer: Annotated[Input[str], text]
    key: Annotated[Input[str], secret]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class MembershipArgs:
    """The membership of a consumer, given by its id or username, in a group of the acl plugin."""

    consumer: Annotated[Input[str], text]
    group: Annotated[Input[str], text]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """A certificate with its private key, both in PEM."""

    cert: Annotated[Input[str], text]
    key: Annotated[Input[str], secret]
    tags: Tags = None


@dataclass(frozen=True, kw_only=True)
class SniArgs:
    """A host name for which Kong presents a certificate, given by its id."""

    name: Annotated[Input[str], text]
    certificate: Annotated[Input[str], text]
    tags: Tags = None


def _check_consumer(consumer: Props) -> tuple[Props, list[Failure]]:
    if consumer["username"] or consumer["custom_id"]:
        return consumer, []
    return consumer, [Failure("username", "a consumer must have a username or a custom_id")]


def _normalize_plugin(plugin: Props) -> tuple[Props, list[Failure]]:
    if not plugin["name"]:
        return plugin, [Failure("name", "is missing; only a class of plugin_configs.py names its plugin")]
    given = plugin["config"]
    known = CONFIGS.get(plugin["name"])
    if known is not None and plugin["protocols"] is None:
        plugin = plugin | {"protocols": list(known.protocols)}
    if given == UNKNOWN:
        return plugin, []
    if known is None:  # Kong sets what is null or left out
        return plugin | {"config": {name: value for name, value in (given or {}).items() if value is not None}}, []
    filled, failures = fill_defaults(fields_of(known), given or {}, "config.")
    # Another version of Kong may have more fields; Kong itself validates those.
    config = (given or {}) | filled
    if not failures and (reason := known.find_error(config)):
        failures = [Failure("config", reason)]
    return plugin | {"config": config}, failures


SCOPES: Mapping[str, str] = {"service": "services", "route": "routes", "consumer": "consumers"}
PLUGIN = Entity("plugins", PluginArgs, SCOPES, schema="plugins", normalize=_normalize_plugin)
CONSUMER = Entity(
    "consumers",
    ConsumerArgs,
    lookup_field="username",
    rename="choose another name in consumers, or list it in platformConsumers",
    schema="consumers",
    normalize=_check_consumer,
)
KEY = Entity(
    "key-auth",
    KeyArgs,
    {"consumer": "consumers"},
    parent="consumer",
    identity=("consumer",),
    rename="choose another key in consumers",
    schema="keyauth_credentials",
)
MEMBERSHIP = Entity(
    "acls",
    MembershipArgs,
    {"consumer": "consumers"},
    parent="consumer",
    identity=("consumer", "group"),
    lookup_field="group",
)
CERTIFICATE = Entity("certificates", CertificateArgs, schema="certificates")
SNI = Entity(
    "snis",
    SniArgs,
    {"certificate": "certificates"},
    lookup_field="name",
    rename="set another hostname",
    schema="snis",
)
