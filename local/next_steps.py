"""What `make up` prints at its end: how to call the API, and what to do next."""

import docker

from local import base_image, gateway, pulumi_stack, pulumi_tools, stack_config, tls
from local.console import say
from local.workspace import ROOT, Workspace

BODY = """-H 'Content-Type: application/json' -d '{"userId": 1, "context": "hello"}'"""


def print_next_steps(client: docker.DockerClient, workspace: Workspace) -> None:
    """Print them; each command works as it is, once KEY is replaced."""
    hostname = pulumi_stack.read_outputs(workspace)["record"]["name"]
    key = " -H 'apikey: KEY'" if stack_config.api_key_header(workspace) != {} else ""
    trusted = tls.write_trusted(workspace, hostname).relative_to(ROOT)
    authority = f"{hostname}:{workspace.tls_port}"
    say(f"The API is running for host {hostname}. Create a session:")
    print(f"\n  curl -i --cacert {trusted} --resolve {authority}:127.0.0.1{key} \\")
    print(f"       {BODY} https://{authority}/sessions\n")
    if stack_config.plain_http(workspace) == "serve":
        print(f"Without TLS: http://127.0.0.1:{workspace.proxy_port}/sessions with -H 'Host: {hostname}'")
    stand_ins = [*pulumi_tools.stand_ins(), "moto for Route 53"]
    if gateway.is_stand_in(client, workspace):
        stand_ins.append("offline/gateway for Kong")
    if base_image.is_stand_in(client):
        stand_ins.append("Debian's packages for the base image")
    print(f"Stand-ins in use: {', '.join(stand_ins)}")
    looks = ", ".join(workspace.command(verb) for verb in ("open", "status", "logs"))
    print(f"To look at it: {looks}. To use plain pulumi: . ./activate")
    print(f"To remove {'it' if workspace.on else 'everything'}: {workspace.command('down')}")
