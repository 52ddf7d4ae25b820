"""Kong for a Pulumi program: `Provider`, resources such as `Route`, and the configs of plugins."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import pulumi

from infra.kong.schema.access import CertificateArgs, ConsumerArgs, KeyArgs, MembershipArgs, PluginArgs, SniArgs
from infra.kong.schema.plugin_configs import (
    AclConfig,
    CorrelationIdConfig,
    CorsConfig,
    IpRestrictionConfig,
    KeyAuthConfig,
    PluginConfig,
    RateLimitingConfig,
    RequestSizeLimitingConfig,
)
from infra.kong.schema.routing import RouteArgs, ServiceArgs, TargetArgs, UpstreamArgs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "AclConfig",
    "Certificate",
    "CertificateArgs",
    "Consumer",
    "ConsumerArgs",
    "CorrelationIdConfig",
    "CorsConfig",
    "IpRestrictionConfig",
    "Key",
    "KeyArgs",
    "KeyAuthConfig",
    "Membership",
    "MembershipArgs",
    "Plugin",
    "PluginArgs",
    "PluginConfig",
    "Provider",
    "RateLimitingConfig",
    "RequestSizeLimitingConfig",
    "Route",
    "RouteArgs",
    "Service",
    "ServiceArgs",
    "Sni",
    "SniArgs",
    "Target",
    "TargetArgs",
    "Upstream",
    "UpstreamArgs",
]

_Args = TypeVar("_Args", bound="DataclassInstance")


class Provider(pulumi.ProviderResource):
    """The Kong whose Admin API is at `admin_url`, with what it demands: a token, a user, a client certificate.

    `ca` are certificates of the only CAs to trust, and `timeout_ms` replaces the default timeouts.
    Each entity is tagged with the `mark`, which shows whether another state created it under the same name. With
    `adopt`, an existing entity that no other stack owns is taken over instead of being reported as a conflict.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        admin_url: pulumi.Input[str],
        mark: pulumi.Input[str],
        token: pulumi.Input[str] | None = None,
        token_header: pulumi.Input[str] | None = None,
        user: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        ca: pulumi.Input[str] | None = None,
        client_certificate: pulumi.Input[str] | None = None,
        client_key: pulumi.Input[str] | None = None,
        timeout_ms: pulumi.Input[int] | None = None,
        adopt: pulumi.Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "adminUrl": admin_url,
            "token": token,
            "tokenHeader": token_header,
            "user": user,
            "password": password,
            "ca": ca,
            "clientCertificate": client_certificate,
            "clientKey": client_key,
            "timeoutMs": timeout_ms,
            "adopt": adopt,
            "mark": mark,
        }
        super().__init__("kong", resource_name, inputs, opts)

    def require_writable(self) -> None:
        """Stop an `up` before it creates anything if Kong can't be changed. Raises `pulumi.RunError`."""
        if pulumi.runtime.is_dry_run():
            return  # a preview works without Kong
        try:
            pulumi.runtime.invoke("kong:index:require", {}, pulumi.InvokeOptions(provider=self))
        except Exception as error:  # the SDK raises nothing narrower for a provider's function
            if "Invoke: unknown provider" in str(error):
                return  # a refresh of a stack that was never deployed, or was destroyed, creates no provider
            raise pulumi.RunError(str(error).rpartition(" returned an error: ")[2]) from error


class _KongResource(pulumi.CustomResource, Generic[_Args]):
    def __init__(self, resource_name: str, args: _Args, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {field.name: getattr(args, field.name) for field in fields(args)}
        super().__init__(f"kong:index:Kong{type(self).__name__}", resource_name, inputs, opts)


class Service(_KongResource[ServiceArgs]):
    """The service that requests are forwarded to."""


class Route(_KongResource[RouteArgs]):
    """Rules that match requests and forward them to a service."""


class Upstream(_KongResource[UpstreamArgs]):
    """A virtual host name, load-balanced over its targets."""


class Target(_KongResource[TargetArgs]):
    """One address behind an upstream."""


class Plugin(_KongResource[PluginArgs]):
    """A plugin for the requests of a service, a route or a consumer."""

    def __init__(self, resource_name: str, args: PluginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if isinstance(args.config, PluginConfig):
            config = {field.name: getattr(args.config, field.name) for field in fields(args.config)}
            args = replace(args, name=args.config.plugin, config=config)
        super().__init__(resource_name, args, opts)


class Consumer(_KongResource[ConsumerArgs]):
    """An API client that Kong authenticates."""


class Key(_KongResource[KeyArgs]):
    """A key-auth credential of a consumer."""


class Membership(_KongResource[MembershipArgs]):
    """The membership of a consumer in an acl group."""


class Certificate(_KongResource[CertificateArgs]):
    """A certificate with its private key."""


class Sni(_KongResource[SniArgs]):
    """A host name for which Kong presents a certificate."""
