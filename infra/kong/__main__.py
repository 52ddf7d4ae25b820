"""The process of the Kong provider, which the Pulumi engine starts."""

from infra.plugin import Offer, serve

VERSION = "2.0.0"


def load() -> Offer:
    """Return what the provider offers."""
    from infra.kong.provider.connection import Kong
    from infra.kong.provider.resource import EntityResource
    from infra.kong.provider.resource_types import (
        CertificateResource,
        KeyResource,
        MembershipResource,
        PluginResource,
        RouteResource,
    )
    from infra.kong.provider.targets import TargetResource
    from infra.kong.schema.access import CERTIFICATE, CONSUMER, KEY, MEMBERSHIP, PLUGIN, SNI
    from infra.kong.schema.routing import ROUTE, SERVICE, TARGET, UPSTREAM

    kong = Kong()
    types = {
        "kong:index:KongService": EntityResource(kong, SERVICE),
        "kong:index:KongRoute": RouteResource(kong, ROUTE),
        "kong:index:KongUpstream": EntityResource(kong, UPSTREAM),
        "kong:index:KongTarget": TargetResource(kong, TARGET),
        "kong:index:KongPlugin": PluginResource(kong, PLUGIN),
        "kong:index:KongConsumer": EntityResource(kong, CONSUMER),
        "kong:index:KongKey": KeyResource(kong, KEY, delete_before_replace=True),
        "kong:index:KongMembership": MembershipResource(kong, MEMBERSHIP),
        "kong:index:KongCertificate": CertificateResource(kong, CERTIFICATE),
        "kong:index:KongSni": EntityResource(kong, SNI),
    }
    return Offer(types, {"kong:index:require": kong.require_writable}, kong.configure)


serve(VERSION, load)
