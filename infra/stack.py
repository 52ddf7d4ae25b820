"""The whole stack: image → containers → gateway → DNS."""

from uuid import uuid4

import pulumi

from infra import config
from infra.dns import DnsRecord, look_up
from infra.gateway import Access, Gateway, Patience
from infra.host.docker import DockerHost, ServiceEnvironment, docker_provider
from infra.image import Image
from infra.kong import KongProvider

NAME = "session-context"


def deploy() -> None:
    """Declare the stack that the config describes. Raises `pulumi.RunError` when the config is wrong."""
    stack = config.load()
    found = look_up(stack.hosted_zone_id, stack.hostname)
    on_docker = pulumi.ResourceOptions(providers=[docker_provider(stack.docker_host)])
    # Kept in the state from its first run on: by it, what another state made under the same names is recognized.
    mark = pulumi.Stash(f"{NAME}-mark", input=uuid4().hex, opts=pulumi.ResourceOptions(ignore_changes=["input"]))
    kong = KongProvider(
        "kong",
        mark=mark.output,
        admin_url=stack.kong_admin_url,
        token=stack.kong_admin_token,
        token_header=stack.kong_admin_token_header,
        adopt=stack.adopt_in_kong,
    )
    kong.require()

    dns = DnsRecord(
        NAME,
        hostname=stack.hostname,
        zone_id=stack.hosted_zone_id,
        addresses=stack.gateway_addresses,
        ttl=stack.ttl,
        adopt=stack.adopt_record,
        found=found,
        protect=stack.protect,
    )
    image = Image(NAME, base_image=stack.base_image, platform=stack.platform, after=dns.is_free, opts=on_docker)
    host = DockerHost(
        NAME,
        image=image,
        network=stack.network,
        replicas=stack.replicas,
        environment=ServiceEnvironment(
            max_context_bytes=stack.max_context_bytes,
            sequence_service_url=stack.sequence_service_url,
            database_url=stack.database_url,
        ),
        protect=stack.protect,
        opts=on_docker,
    )
    gateway = Gateway(
        NAME,
        access=Access(
            hostname=stack.hostname,
            plain_http=stack.plain_http,
            max_context_bytes=stack.max_context_bytes,
            requests_per_minute=stack.requests_per_minute,
            key_auth=stack.key_auth,
            consumers=stack.consumers,
            platform_consumers=stack.platform_consumers,
            group=pulumi.Output.concat(pulumi.get_project(), ":", pulumi.get_stack(), ":", mark.output),
            certificate=stack.tls_certificate,
            certificate_key=stack.tls_key,
        ),
        patience=Patience(
            connect_timeout=stack.connect_timeout, read_timeout=stack.read_timeout, retries=stack.retries
        ),
        containers=host.addresses,
        opts=pulumi.ResourceOptions(providers=[kong]),
    )
    dns.point(after=gateway)

    pulumi.export("url", f"https://{stack.hostname}")
    pulumi.export("image", image.reference)
    pulumi.export("containers", [container.name for container in host.containers])
    pulumi.export("kong", gateway.ids)
    pulumi.export("record", {"name": dns.record.name, "addresses": dns.record.records})
    pulumi.export("recordBefore", dns.before)
