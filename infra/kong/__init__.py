"""Kong for a Pulumi program: `kong.Provider`, the resources such as `kong.Route`, and the configs of plugins."""

from infra.kong.resources import (
    Certificate,
    Consumer,
    Key,
    Membership,
    Plugin,
    Provider,
    Route,
    Service,
    Sni,
    Target,
    Upstream,
)
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
