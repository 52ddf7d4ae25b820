"""The one package that touches Pulumi's provider interface."""

from infra.plugin.provider import Provider, pause
from infra.plugin.resource import InitFailedError, PluginError, Resource
from infra.plugin.server import end_with_engine, inform, serve, warn

__all__ = [
    "InitFailedError",
    "PluginError",
    "Provider",
    "Resource",
    "end_with_engine",
    "inform",
    "pause",
    "serve",
    "warn",
]
