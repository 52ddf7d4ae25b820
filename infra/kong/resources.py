"""Kong's entities as resources of a Pulumi program."""

from dataclasses import fields, replace
from typing import Generic, TypeVar

import pulumi

from infra.kong.schema.access import (
    KongCertificateArgs,
    KongConsumerArgs,
    KongKeyArgs,
    KongMembershipArgs,
    KongPluginArgs,
    KongSniArgs,
)
from infra.kong.schema.plugin_configs import PluginConfig
from infra.kong.schema.routing import KongRouteArgs, KongServiceArgs, KongTargetArgs, KongUpstreamArgs

_Args = TypeVar(
    "_Args",
    KongServiceArgs,
    KongRouteArgs,
    KongUpstreamArgs,
    KongTargetArgs,
    KongPluginArgs,
    KongConsumerArgs,
    KongKeyArgs,
    KongMembershipArgs,
    KongCertificateArgs,
    KongSniArgs,
)


class KongProvider(pulumi.ProviderResource):
    """The Kong whose Admin API is at `admin_url`, with a token in `token_header` where it wants one.

    Each entity gets a tag with the `mark`, by which what another state made under the same names is recognized.
    With `adopt` an entity that is in the place of a new one, and that no other stack owns, is taken over.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        admin_url: pulumi.Input[str],
        mark: pulumi.Input[str],
        token: pulumi.Input[str] | None = None,
        token_header: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "adminUrl": admin_url,
            "token": token,
            "tokenHeader": token_header,
            "adopt": adopt,
            "mark": mark,
        }
        super().__init__("kong", resource_name, props, opts)

    def require(self) -> None:
        """Raises `pulumi.RunError` in an `up` when Kong can't be changed: before anything else is made for it."""
        if pulumi.runtime.is_dry_run():
            return  # a preview goes on without Kong
        try:
            pulumi.runtime.invoke("kong:index:require", {}, pulumi.InvokeOptions(provider=self))
        except Exception as error:  # the SDK has no narrower one for a function of a provider
            raise pulumi.RunError(str(error).rpartition(" returned an error: ")[2]) from error


class _KongResource(pulumi.CustomResource, Generic[_Args]):
    def __init__(self, resource_name: str, args: _Args, opts: pulumi.ResourceOptions | None = None) -> None:
        given = {field.name: getattr(args, field.name) for field in fields(args)}
        super().__init__(f"kong:index:{type(self).__name__}", resource_name, given, opts)


class KongService(_KongResource[KongServiceArgs]):
    """Where requests go."""


class KongRoute(_KongResource[KongRouteArgs]):
    """Which requests go to a service."""


class KongUpstream(_KongResource[KongUpstreamArgs]):
    """A name that is balanced over targets."""


class KongTarget(_KongResource[KongTargetArgs]):
    """One address of an upstream."""


class KongPlugin(_KongResource[KongPluginArgs]):
    """What Kong does with the requests of a service, a route or a consumer."""

    def __init__(
        self, resource_name: str, args: KongPluginArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        if isinstance(args.config, PluginConfig):
            given = {field.name: getattr(args.config, field.name) for field in fields(args.config)}
            args = replace(args, name=args.config.plugin, config=given)
        super().__init__(resource_name, args, opts)


class KongConsumer(_KongResource[KongConsumerArgs]):
    """Who calls."""


class KongKey(_KongResource[KongKeyArgs]):
    """A secret by which a consumer is known."""


class KongMembership(_KongResource[KongMembershipArgs]):
    """That a consumer is in a group."""


class KongCertificate(_KongResource[KongCertificateArgs]):
    """A certificate with its private key."""


class KongSni(_KongResource[KongSniArgs]):
    """A host name for which Kong shows a certificate."""
