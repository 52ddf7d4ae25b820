"""The stack's config, read and checked as a whole before anything is declared."""

from infra.config.groups import (
    AccessConfig,
    HostConfig,
    ImageConfig,
    KongConfig,
    RecordConfig,
    ServiceConfig,
    TimeoutConfig,
)
from infra.config.loader import StackConfig, load

__all__ = [
    "AccessConfig",
    "HostConfig",
    "ImageConfig",
    "KongConfig",
    "RecordConfig",
    "ServiceConfig",
    "StackConfig",
    "TimeoutConfig",
    "load",
]
