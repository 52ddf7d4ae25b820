"""`python -m local VERB`: what `make up`, `preview`, `smoke` and `down` do once `make setup` is done."""

import os
import sys
from contextlib import nullcontext, suppress

import docker
from docker.errors import DockerException

from local import (
    backup,
    base_image,
    container_health,
    docker_engine,
    gateway,
    install,
    prune,
    pulumi_stack,
    recovery,
    route53,
    stack_config,
)
from local.console import say
from local.lock import hold_lock
from local.smoke import smoke
from local.workspace import (
    STATE,
    LocalError,
    Workspace,
    bypass_proxies,
    forget,
    from_environment,
    is_foreign,
    remember,
)


def _start_platform(workspace: Workspace, *, prefer_official: bool) -> tuple[docker.DockerClient, str]:
    """Start the platform; return the Docker client and the zone's id."""
    client = docker_engine.start()
    gateway.check(client, workspace)
    route53.check(workspace)
    base_image.prepare(client, prefer_official=prefer_official)
    remember(workspace)
    gateway.start(client, workspace, prefer_official=prefer_official)
    return client, route53.start(workspace)


def _ready_stack(workspace: Workspace, *, prefer_official: bool = False) -> docker.DockerClient:
    recovery.end_plugins()
    client, zone_id = _start_platform(workspace, prefer_official=prefer_official)
    recovery.repair_backend(STATE / "state")
    pulumi_stack.create(workspace)
    recovery.require_idle(workspace)
    stack_config.point_at_platform(workspace, zone=zone_id)
    recovery.recover(client, workspace, zone=zone_id)
    return client


def up(workspace: Workspace) -> None:
    """From whatever is there to a running API, then tried and told of."""
    client = _ready_stack(workspace, prefer_official=True)
    try:
        pulumi_stack.up(workspace)
    except LocalError as error:
        reasons = (str(error), container_health.explain_unhealthy(workspace))
        raise LocalError("\n".join(filter(None, reasons))) from error
    smoke(workspace)
    prune.remove_old_images(
        client, stack_config.image_repository(workspace), keep=stack_config.keep_images(workspace)
    )
    hostname = pulumi_stack.read_outputs(workspace)["record"]["name"]
    key = " -H 'apikey: KEY'" if stack_config.api_key_header(workspace) != {} else ""
    stand_ins = [*install.stand_ins(), "moto for Route 53"]
    if gateway.is_stand_in(client, workspace):
        stand_ins.append("offline/gateway for Kong")
    if base_image.is_stand_in(client):
        stand_ins.append("Debian's packages for the base image")
    url = f"http://127.0.0.1:{workspace.proxy_port}"
    say(f"The API is up at {url} for the host {hostname}. Try:")
    print(
        f"\n  curl -i -H 'Host: {hostname}'{key} -H 'Content-Type: application/json' \\\n"
        f'       -d \'{{"userId": 1, "context": "hello"}}\' {url}/sessions\n\n'
        f"Stand-ins in use: {', '.join(stand_ins)}.\n"
        "To go on with plain `pulumi preview`, `pulumi up` and so on: . ./activate\n"
        "To remove everything: make down"
    )


def preview(workspace: Workspace) -> None:
    """What `make up` would change."""
    _ready_stack(workspace)
    pulumi_stack.preview(workspace)


def down(workspace: Workspace) -> None:
    """Remove the stack and all that was started for it."""
    file = stack_config.config_file(workspace)
    if not pulumi_stack.exists(workspace) and not file.is_file():
        raise LocalError(f"neither stack {workspace.stack} nor {file.name} exists. Check STACK.")
    if pulumi_stack.exists(workspace):
        recovery.require_idle(workspace)
        with suppress(LocalError, DockerException):
            docker_engine.start()  # what it holds can't be counted without it
        backup.confirm_removal(workspace)
        try:
            _ready_stack(workspace)
            pulumi_stack.destroy(workspace)
        except (LocalError, DockerException) as error:
            say(f"{error}\nGoing on without Kong and Route 53: what the stack has there goes with the platform.")
            recovery.require_idle(workspace)
            pulumi_stack.destroy_without_platform(workspace)
    route53.stop()
    client = docker_engine.find()
    if client is not None:
        gateway.stop(client, workspace)
    docker_engine.stop()
    forget(workspace)
    say("Removed everything except packages, CLI and images, which speed up the next `make up`, and .local/")


EXCLUSIVE_VERBS = ("down", "preview", "restore", "up")
"""Of these one at a time works on a stack."""

VERBS = {
    "backup": backup.back_up,
    "down": down,
    "preview": preview,
    "restore": backup.restore,
    "smoke": smoke,
    "up": up,
}


def main() -> int:
    """Run one verb; 1 when it fails, with its reason on standard error."""
    for variable in filter(is_foreign, list(os.environ)):
        del os.environ[variable]
    os.environ |= bypass_proxies()
    try:
        verb, workspace = sys.argv[1], from_environment()
        with hold_lock(f"run on stack {workspace.stack}") if verb in EXCLUSIVE_VERBS else nullcontext():
            VERBS[verb](workspace)
    except (LocalError, DockerException) as error:
        print(f"\nStopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Every step is safe to repeat: run the same again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
