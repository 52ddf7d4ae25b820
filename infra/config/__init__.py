"""The stack's config, read and checked as a whole before anything is declared."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi.runtime import config as runtime

from infra.config.access import AccessConfig
from infra.config.container_hosts import HostConfig, read_host
from infra.config.groups import (
    ImageConfig,
    ServiceConfig,
    TimeoutConfig,
)
from infra.config.kong import KongConfig
from infra.config.parsers import boolean
from infra.config.passphrase import is_of_one_machine, is_public
from infra.config.reader import ConfigReader
from infra.config.record import RecordConfig
from infra.paths import ROOT


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What a stack can set."""

    record: RecordConfig
    image: ImageConfig
    host: HostConfig
    service: ServiceConfig
    kong: KongConfig
    access: AccessConfig
    timeouts: TimeoutConfig
    protect: bool


def read_groups(reader: ConfigReader) -> StackConfig:
    """Read every key. What is wrong is in the reader's `errors`; only without any can the config be used."""
    record = RecordConfig.read(reader)
    host = read_host(reader)
    return StackConfig(
        record=record,
        image=ImageConfig.read(reader, host),
        host=host,
        service=ServiceConfig.read(reader, host),
        kong=KongConfig.read(reader),
        access=AccessConfig.read(reader, record.hostname),
        timeouts=TimeoutConfig.read(reader),
        protect=reader.required("protect", boolean),
    )


def load() -> StackConfig:
    """Load the config of the running stack. Raises `pulumi.RunError` with everything that is wrong or missing."""
    reader = ConfigReader()
    stack_config = read_groups(reader)
    given = runtime.CONFIG.get()
    reader.reject_unknown_keys(given)
    if any(map(runtime.is_config_secret, given)) and not is_of_one_machine(given) and is_public(_file()):
        reader.reject(
            "encryptionsalt was made with the public passphrase of `make up`, so anyone can decrypt the secrets: "
            "choose another with `pulumi stack change-secrets-provider passphrase`, then set new values"
        )
    if reader.errors:
        lines = "\n".join(f"  - {line}" for line in reader.errors)
        raise pulumi.RunError(f"Invalid config for stack {pulumi.get_stack()}; fix {_file().name}:\n{lines}")
    return stack_config


def _file() -> Path:
    return ROOT / f"Pulumi.{pulumi.get_stack()}.yaml"
