"""The stack's own entities in the platform's Kong: an upstream over the containers, a service, and a route."""

import pulumi

from infra.kong.entities import KongRouteArgs, KongServiceArgs, KongTargetArgs, KongUpstreamArgs
from infra.kong.resources import KongRoute, KongService, KongTarget, KongUpstream

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
        "unhealthy": {"interval": 2, "http_failures": 2, "tcp_failures": 1, "timeouts": 2},
    }
}


class Gateway(pulumi.ComponentResource):
    """What routes a host name's requests to the containers."""

    ids: dict[str, pulumi.Output[str]]

    def __init__(
        self,
        name: str,
        *,
        hostname: str,
        plain_http: str,
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
            KongServiceArgs(name=SERVICE_NAME, host=UPSTREAM_NAME, port=UPSTREAM_PORT, tags=tags),
            # A route that leads nowhere yet would answer 503: it comes when there is somebody to answer.
            pulumi.ResourceOptions(parent=self, depends_on=[upstream, *targets]),
        )
        protocols, refusal = PLAIN_HTTP[plain_http]
        route = KongRoute(
            name,
            KongRouteArgs(
                name=ROUTE_NAME,
                service=service.id,
                hosts=[hostname],
                paths=PATHS,
                strip_path=False,
                protocols=protocols,
                https_redirect_status_code=refusal,
                tags=tags,
            ),
            child,
        )
        self.ids = {"upstream": upstream.id, "service": service.id, "route": route.id}
        self.register_outputs({"ids": self.ids})
