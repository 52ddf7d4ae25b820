"""The stack's entities in the platform's Kong: an upstream, a service with its plugins, and a route."""

from collections.abc import Mapping

import pulumi

from infra.config.access import AccessConfig
from infra.config.groups import TimeoutConfig
from infra.config.kong import KongNames
from infra.kong import resources as kong

UPSTREAM_PORT = 8080
PATHS = ["/docs", "/openapi.json", "/sessions"]
"""The API and its documents. Everything else, such as /metrics and /readyz, is not reachable from outside.

Kong normalizes a path (`..`, `//`, `%6d`) before it matches routes, and forwards the normalized one:
kong/tools/uri.lua, `normalize`.
"""

PLAIN_HTTP = {
    "serve": (["http", "https"], 426),
    "redirect": (["https"], 308),
    "refuse": (["https"], 426),
}
"""The route's protocols, and its status for a request over another one; 426 is Kong's default."""

DRAIN_SECONDS = 6
"""Kong polls for changes every 5 s (`db_update_frequency`), and sends requests to a removed target until then."""

HEALTHCHECKS = {
    "active": {
        "type": "http",
        "http_path": "/readyz",
        "healthy": {"interval": 2, "successes": 1},
        "unhealthy": {"interval": 1, "http_failures": 2, "tcp_failures": 1, "timeouts": 2},
    },
    "passive": {"unhealthy": {"tcp_failures": 2, "timeouts": 2}},
}
"""A killed container is taken out after two failed requests, which is sooner than a probe finds it. One failure is
not enough: the container may just have closed an idle connection."""

API_KEY_HEADER = "apikey"
"""Where a client sends its key; Kong's own default."""

CORS_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]
CORS_EXPOSED_HEADERS = [
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
]
"""What a page may read besides the body and Content-Type: the service's headers, and the gateway's."""

CORS_SECONDS = 3600
"""How long a browser keeps the answer to a preflight request."""

OTHER_BODY_BYTES = 4096
"""What the service accepts in a body besides the context: `service/parsing.py`."""

MAX_ESCAPED_BYTES = 6
"""JSON can write one byte of a context in six, such as `\\u0041`."""


class Gateway(pulumi.ComponentResource):
    """The entities in Kong that route the requests for a hostname to the containers."""

    ids: dict[str, pulumi.Output[str]]

    def __init__(
        self,
        name: str,
        *,
        hostname: str,
        names: KongNames,
        containers: Mapping[str, tuple[pulumi.Resource, pulumi.Input[str]]],
        access: AccessConfig,
        group: pulumi.Input[str],
        max_context_bytes: int,
        timeouts: TimeoutConfig,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:Gateway", name, None, opts)
        self._name = name
        self._tags = [f"project:{pulumi.get_project()}", f"stack:{pulumi.get_stack()}"]
        upstream, targets = self._create_upstream(names.upstream, containers)
        # Without targets the route would answer 503, so it comes after them.
        service = self._create_service(names, timeouts, self._child(upstream, *targets))
        consumers, members = self._create_consumers(access, group)
        configs = build_plugins(access, group=group, max_context_bytes=max_context_bytes)
        # In a stack that serves already, whoever a plugin admits exists before the plugin does.
        plugins = [self._create_plugin(service, config, self._child(*members)) for config in configs]
        limits = [
            self._limit_consumer(service, consumer, consumers[consumer], limit)
            for consumer, limit in access.consumer_limits.items()
        ]
        certificate = self._create_certificate(access, hostname)
        # Everything that restricts access is created before the route, and deleted after it.
        last = self._child(*plugins, *limits, *members, *certificate)
        route = self._create_route(names.route, service, hostname, access, last)
        self.ids = {"upstream": upstream.id, "service": service.id, "route": route.id}
        self.register_outputs({"ids": self.ids})

    def _child(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=depends_on or None)

    def _create_upstream(
        self, name: str, containers: Mapping[str, tuple[pulumi.Resource, pulumi.Input[str]]]
    ) -> tuple[kong.Upstream, list[kong.Target]]:
        args = kong.UpstreamArgs(name=name, healthchecks=HEALTHCHECKS, tags=self._tags)
        upstream = kong.Upstream(self._name, args, self._child())
        targets = [
            kong.Target(
                replica,
                kong.TargetArgs(
                    upstream=upstream.id, target=address, drain_seconds=DRAIN_SECONDS, tags=self._tags
                ),
                self._child(container),
            )
            for replica, (container, address) in containers.items()
        ]
        return upstream, targets

    def _create_service(
        self, names: KongNames, timeouts: TimeoutConfig, opts: pulumi.ResourceOptions
    ) -> kong.Service:
        args = kong.ServiceArgs(
            name=names.service,
            host=names.upstream,
            port=UPSTREAM_PORT,
            connect_timeout=timeouts.connect_ms,
            read_timeout=timeouts.read_ms,
            write_timeout=timeouts.read_ms,
            retries=timeouts.retries,
            tags=self._tags,
        )
        return kong.Service(self._name, args, opts)

    def _create_plugin(
        self, service: kong.Service, config: kong.PluginConfig, opts: pulumi.ResourceOptions
    ) -> kong.Plugin:
        args = kong.PluginArgs(service=service.id, config=config, tags=self._tags)
        return kong.Plugin(f"{self._name}-{config.plugin}", args, opts)

    def _limit_consumer(
        self, service: kong.Service, name: str, consumer: kong.Consumer, limit: int
    ) -> kong.Plugin:
        config = kong.RateLimitingConfig(minute=limit, limit_by="consumer")
        args = kong.PluginArgs(service=service.id, consumer=consumer.id, config=config, tags=self._tags)
        return kong.Plugin(f"{self._name}-{name}-rate-limiting", args, self._child())

    def _create_route(
        self,
        name: str,
        service: kong.Service,
        hostname: str,
        access: AccessConfig,
        opts: pulumi.ResourceOptions,
    ) -> kong.Route:
        protocols, redirect_status = PLAIN_HTTP[access.plain_http]
        args = kong.RouteArgs(
            name=name,
            service=service.id,
            hosts=[hostname],
            paths=PATHS,
            strip_path=False,
            protocols=protocols,
            https_redirect_status_code=redirect_status,
            tags=self._tags,
        )
        return kong.Route(self._name, args, opts)

    def _create_consumers(
        self, access: AccessConfig, group: pulumi.Input[str]
    ) -> tuple[dict[str, kong.Consumer], list[pulumi.Resource]]:
        """Create the stack's consumers by name; return also their keys, and all memberships in the group."""
        consumers: dict[str, kong.Consumer] = {}
        created: list[pulumi.Resource] = []
        members: dict[str, pulumi.Input[str]] = {f"platform:{name}": name for name in access.platform_consumers}
        for consumer_name, key in access.consumers.items():
            name = f"{self._name}-{consumer_name}"
            consumer = kong.Consumer(name, kong.ConsumerArgs(username=name, tags=self._tags), self._child())
            key_args = kong.KeyArgs(consumer=consumer.id, key=key, tags=self._tags)
            created.append(kong.Key(name, key_args, self._child()))
            consumers[consumer_name] = consumer
            members[name] = consumer.id
        for name, consumer_id in members.items():
            args = kong.MembershipArgs(consumer=consumer_id, group=group, tags=self._tags)
            created.append(kong.Membership(name, args, self._child()))
        return consumers, created

    def _create_certificate(self, access: AccessConfig, hostname: str) -> list[pulumi.Resource]:
        if access.certificate is None or access.certificate_key is None:
            return []
        args = kong.CertificateArgs(cert=access.certificate, key=access.certificate_key, tags=self._tags)
        certificate = kong.Certificate(self._name, args, self._child())
        sni_args = kong.SniArgs(name=hostname, certificate=certificate.id, tags=self._tags)
        return [certificate, kong.Sni(self._name, sni_args, self._child())]


def build_plugins(
    access: AccessConfig, *, group: pulumi.Input[str], max_context_bytes: int
) -> list[kong.PluginConfig]:
    """Return the config of each plugin of the service."""
    # The service itself rejects a context that is too large; this rejects any other large body.
    max_body_bytes = max_context_bytes * MAX_ESCAPED_BYTES + OTHER_BODY_BYTES
    plugins: list[kong.PluginConfig] = [
        kong.CorrelationIdConfig(header_name="X-Request-ID", generator="uuid", echo_downstream=True),
        kong.RequestSizeLimitingConfig(allowed_payload_size=max_body_bytes, size_unit="bytes"),
    ]
    if access.cors_origins:
        # Kong answers a preflight request before it looks for a key. It echoes the headers that are asked for.
        plugins.append(
            kong.CorsConfig(
                origins=access.cors_origins,
                methods=CORS_METHODS,
                exposed_headers=CORS_EXPOSED_HEADERS,
                max_age=CORS_SECONDS,
            )
        )
    if access.addresses:
        plugins.append(kong.IpRestrictionConfig(allow=access.addresses))
    if access.requests_per_minute:
        limit_by = "consumer" if access.key_auth else "ip"
        plugins.append(kong.RateLimitingConfig(minute=access.requests_per_minute, limit_by=limit_by))
    if access.key_auth:
        # In a header only: URLs end up in logs. The service does not need the key.
        plugins.append(kong.KeyAuthConfig(key_names=[API_KEY_HEADER], key_in_query=False, hide_credentials=True))
        # Kong knows the consumers of its other services too. The service does not need their groups.
        plugins.append(kong.AclConfig(allow=[group, *access.platform_groups], hide_groups_header=True))
    return plugins
