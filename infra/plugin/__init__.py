"""Pulumi's provider interface, which no other package touches."""

from infra.plugin.provider import Offer, pause
from infra.plugin.resource import PluginError, Resource
from infra.plugin.server import exit_with_engine, log, serve, warn

__all__ = ["Offer", "PluginError", "Resource", "exit_with_engine", "log", "pause", "serve", "warn"]
