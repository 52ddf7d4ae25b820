"""Kong's entities as resources of a Pulumi program."""

from dataclasses import fields
from typing import Any

import pulumi

from infra.kong.entities import KongRouteArgs, KongServiceArgs, KongTargetArgs, KongUpstreamArgs
from infra.kong.guards import KongCertificateArgs, KongConsumerArgs, KongKeyArgs, KongPluginArgs, KongSniArgs


class KongProvider(pulumi.ProviderResource):
    """The Kong whose Admin API is at `admin_url`, with a token in `token_header` where it wants one."""

    def __init__(
        self,
        resource_name: str,
        *,
        admin_url: pulumi.Input[str],
        token: pulumi.Input[str] | None = None,
        token_header: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"adminUrl": admin_url, "token": token, "tokenHeader": token_header}
        super().__init__("kong", resource_name, props, opts)


class _KongResource(pulumi.CustomResource):
    def __init__(self, resource_name: str, args: Any, opts: pulumi.ResourceOptions | None) -> None:  # noqa: ANN401
        given = {field.name: getattr(args, field.name) for field in fields(args)}
        super().__init__(f"kong:index:{type(self).__name__}", resource_name, given, opts)


class KongService(_KongResource):
    """Where requests go."""

    def __init__(
        self, resource_name: str, args: KongServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongRoute(_KongResource):
    """Which requests go to a service."""

    def __init__(
        self, resource_name: str, args: KongRouteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongUpstream(_KongResource):
    """A name that is balanced over targets."""

    def __init__(
        self, resource_name: str, args: KongUpstreamArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongTarget(_KongResource):
    """One address of an upstream."""

    def __init__(
        self, resource_name: str, args: KongTargetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongPlugin(_KongResource):
    """What Kong does with the requests of a service, a route or a consumer."""

    def __init__(
        self, resource_name: str, args: KongPluginArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongConsumer(_KongResource):
    """Who calls."""

    def __init__(
        self, resource_name: str, args: KongConsumerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongKey(_KongResource):
    """A secret by which a consumer is known."""

    def __init__(self, resource_name: str, args: KongKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(resource_name, args, opts)


class KongCertificate(_KongResource):
    """A certificate with its private key."""

    def __init__(
        self, resource_name: str, args: KongCertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(resource_name, args, opts)


class KongSni(_KongResource):
    """A host name for which Kong shows a certificate."""

    def __init__(self, resource_name: str, args: KongSniArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(resource_name, args, opts)
