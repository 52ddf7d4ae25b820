"""The stack's own entities in the platform's Kong: an upstream over the containers, a service, and a route."""

from dataclasses import dataclass

import pulumi

from infra.kong import (
    AclConfig,
    CorrelationIdConfig,
    KeyAuthConfig,
    KongCertificate,
    KongCertificateArgs,
    KongConsumer,
    KongConsumerArgs,
    KongKey,
    KongKeyArgs,
    KongMembership,
    KongMembershipArgs,
    KongPlugin,
    KongPluginArgs,
    KongRoute,
    KongRouteArgs,
    KongService,
    KongServiceArgs,
    KongSni,
    KongSniArgs,
    KongTarget,
    KongTargetArgs,
    KongUpstream,
    KongUpstreamArgs,
    PluginConfig,
    RateLimitingConfig,
    RequestSizeLimitingConfig,
)

SERVICE_NAME = "session-context-management-service"
ROUTE_NAME = "session-context-management-route"
UPSTREAM_NAME = "session_context_management_api"
UPSTREAM_PORT = 8080
PATHS = ["/docs", "/openapi.json", "/sessions"]
"""The API and its documents. What is not below them, such as /metrics and /readyz, is not to be had from outside.

Kong takes a path apart (`..`, `//`, `%6d`) before it looks for a route, and passes on what it looked for:
kong/tools/uri.lua, `normalize`.
"""

PLAIN_HTTP = {
    "serve": (["http", "https"], 426),
    "redirect": (["https"], 308),
    "refuse": (["https"], 426),
}
"""The route's protocols, and what it says to a request over another; 426 is Kong's own default."""

DRAIN_SECONDS = 6
"""Kong looks for changes every 5 s (`db_update_frequency`): only then has it let go of a removed target."""

HEALTHCHECKS = {
    "active": {
        "type": "http",
        "http_path": "/readyz",
        "healthy": {"interval": 2, "successes": 1},
        "unhealthy": {"interval": 1, "http_failures": 2, "tcp_failures": 1, "timeouts": 2},
    },
    "passive": {"unhealthy": {"tcp_failures": 2, "timeouts": 2}},
}
"""A container that was killed is left out once two requests have met that, which is sooner than a probe does. One
is not enough: it may have met a connection that the container was just closing."""

BODY_BYTES = 4096
"""What the service takes in a body besides the context: `service/parsing.py`."""

ESCAPED = 6
"""A byte of a context may come as six of JSON, such as `\\u0041`."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the gateway waits for a container, in milliseconds, and how often it tries another."""

    connect_timeout: int
    read_timeout: int
    retries: int


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may send what through the gateway."""

    hostname: str
    plain_http: str
    max_context_bytes: int
    requests_per_minute: int | None
    key_auth: bool
    consumers: dict[str, pulumi.Output[str]]
    """Those of this stack, each with its key."""
    platform_consumers: list[str]
    """Those that the platform's Kong has already, and that are let in as well."""
    group: pulumi.Input[str]
    """What all of them are members of, and no consumer else is."""
    certificate: pulumi.Output[str] | None
    certificate_key: pulumi.Output[str] | None

    def plugins(self) -> list[PluginConfig]:
        """The config of each plugin."""
        # The service itself refuses a context that is too large, in its own words; this keeps all else from it.
        largest = self.max_context_bytes * ESCAPED + BODY_BYTES
        plugins: list[PluginConfig] = [
            CorrelationIdConfig(header_name="X-Request-ID", generator="uuid", echo_downstream=True),
            RequestSizeLimitingConfig(allowed_payload_size=largest, size_unit="bytes"),
        ]
        if self.requests_per_minute:
            limit_by = "consumer" if self.key_auth else "ip"
            plugins.append(RateLimitingConfig(minute=self.requests_per_minute, limit_by=limit_by))
        if self.key_auth:
            # In the header alone: what is in a URL ends in logs. The service has no use for the key.
            plugins.append(KeyAuthConfig(key_in_query=False, hide_credentials=True))
            # Kong knows all consumers of its other services, too. Nor has the service any use for their groups.
            plugins.append(AclConfig(allow=[self.group], hide_groups_header=True))
        return plugins


class Gateway(pulumi.ComponentResource):
    """What routes a host name's requests to the containers."""

    ids: dict[str, pulumi.Output[str]]

    def __init__(
        self,
        name: str,
        *,
        access: Access,
        patience: Patience,
        containers: dict[str, tuple[pulumi.Resource, pulumi.Output[str]]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = [f"project:{pulumi.get_project()}", f"stack:{pulumi.get_stack()}"]
        upstream = KongUpstream(
            name, KongUpstreamArgs(name=UPSTREAM_NAME, healthchecks=HEALTHCHECKS, tags=tags), child
        )
        targets = [
            KongTarget(
                target_name,
                KongTargetArgs(upstream=upstream.id, target=address, drain_seconds=DRAIN_SECONDS, tags=tags),
                pulumi.ResourceOptions(parent=self, depends_on=[container]),
            )
            for target_name, (container, address) in containers.items()
        ]
        service = KongService(
            name,
            KongServiceArgs(
                name=SERVICE_NAME,
                host=UPSTREAM_NAME,
                port=UPSTREAM_PORT,
                connect_timeout=patience.connect_timeout,
                read_timeout=patience.read_timeout,
                write_timeout=patience.read_timeout,
                retries=patience.retries,
                tags=tags,
            ),
            # A route that leads nowhere yet would answer 503: it comes when there is somebody to answer.
            pulumi.ResourceOptions(parent=self, depends_on=[upstream, *targets]),
        )
        guards = self._guards(name, access, service, tags)
        protocols, refusal = PLAIN_HTTP[access.plain_http]
        route = KongRoute(
            name,
            KongRouteArgs(
                name=ROUTE_NAME,
                service=service.id,
                hosts=[access.hostname],
                paths=PATHS,
                strip_path=False,
                protocols=protocols,
                https_redirect_status_code=refusal,
                tags=tags,
            ),
            # Nothing is let in before all that guards it is there, and all of it outlives the route.
            pulumi.ResourceOptions(parent=self, depends_on=guards),
        )
        self.ids = {"upstream": upstream.id, "service": service.id, "route": route.id}
        self.register_outputs({"ids": self.ids})

    def _guards(self, name: str, access: Access, service: KongService, tags: list[str]) -> list[pulumi.Resource]:
        """Who is let in, the plugins of the service, and the certificate of the hostname."""
        let_in = self._let_in(name, access, tags)
        plugins = [
            KongPlugin(
                f"{name}-{config.plugin}",
                KongPluginArgs(service=service.id, config=config, tags=tags),
                # A stack that serves already locks nobody out: whom a plugin lets in is there before it.
                pulumi.ResourceOptions(parent=self, depends_on=let_in),
            )
            for config in access.plugins()
        ]
        return [*plugins, *let_in, *self._certificate(name, access, tags)]

    def _let_in(self, name: str, access: Access, tags: list[str]) -> list[pulumi.Resource]:
        """Consumers with their keys, and the members of the stack's group."""
        child = pulumi.ResourceOptions(parent=self)
        made: list[pulumi.Resource] = []
        members: dict[str, pulumi.Input[str]] = {f"platform:{one}": one for one in access.platform_consumers}
        for username, key in access.consumers.items():
            own = f"{name}-{username}"
            consumer = KongConsumer(own, KongConsumerArgs(username=own, tags=tags), child)
            made.append(KongKey(own, KongKeyArgs(consumer=consumer.id, key=key, tags=tags), child))
            members[own] = consumer.id
        for member, consumer_id in members.items():
            args = KongMembershipArgs(consumer=consumer_id, group=access.group, tags=tags)
            made.append(KongMembership(member, args, child))
        return made

    def _certificate(self, name: str, access: Access, tags: list[str]) -> list[pulumi.Resource]:
        if access.certificate is None or access.certificate_key is None:
            return []
        child = pulumi.ResourceOptions(parent=self)
        certificate = KongCertificate(
            name, KongCertificateArgs(cert=access.certificate, key=access.certificate_key, tags=tags), child
        )
        sni = KongSni(name, KongSniArgs(name=access.hostname, certificate=certificate.id, tags=tags), child)
        return [certificate, sni]
