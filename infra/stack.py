"""The whole stack: image → containers → gateway → DNS."""

from uuid import uuid4

import pulumi

from infra.config import load
from infra.dns import DnsRecord
from infra.gateway import Gateway
from infra.host import create_host
from infra.host.docker import docker_provider
from infra.image import Image
from infra.kong import resources as kong
from infra.zone import look_up

NAME = "session-context"


def deploy() -> None:
    """Declare the stack that the config describes. Raises `pulumi.RunError` when the config is invalid."""
    config = load()
    on_docker = pulumi.ResourceOptions(providers=[docker_provider(config.host, config.image)])
    # Random, and the same for the life of the state: it shows which entities another state of this name created.
    mark = pulumi.Stash(f"{NAME}-mark", input=uuid4().hex, opts=pulumi.ResourceOptions(ignore_changes=["input"]))
    kong_provider = kong.Provider(
        "kong",
        mark=mark.output,
        admin_url=config.kong.admin_url,
        token=config.kong.token,
        token_header=config.kong.token_header,
        user=config.kong.user,
        password=config.kong.password,
        ca=config.kong.ca,
        client_certificate=config.kong.client_certificate,
        client_key=config.kong.client_key,
        timeout_ms=config.kong.timeout_ms,
        adopt=config.kong.adopt,
    )
    # The engine starts the plugins of the providers above while the program waits for the zone.
    found = config.record.zone_id and look_up(config.record.zone_id, config.record.hostname)
    kong_provider.require_writable()

    dns = DnsRecord(NAME, config=config.record, found=found, protect=config.protect) if found else None
    image = Image(NAME, config=config.image, after=dns.name_checks if dns else [], opts=on_docker)
    host = create_host(NAME, config=config, image=image, opts=on_docker)
    gateway = Gateway(
        NAME,
        hostname=config.record.hostname,
        names=config.kong.names,
        containers=host.addresses,
        access=config.access,
        group=pulumi.Output.concat(pulumi.get_project(), ":", pulumi.get_stack(), ":", mark.output),
        max_context_bytes=config.service.max_context_bytes,
        timeouts=config.timeouts,
        opts=pulumi.ResourceOptions(providers=[kong_provider]),
    )
    record = dns.create_records(after=gateway) if dns else config.record.to_set_by_hand()

    pulumi.export("url", f"https://{config.record.hostname}")
    pulumi.export("image", image.reference)
    for name, value in host.outputs.items():
        pulumi.export(name, value)
    pulumi.export("kong", gateway.ids)
    pulumi.export("record", record)
    pulumi.export("recordBefore", dns.previous_records if dns else [])
