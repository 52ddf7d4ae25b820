"""`python -m local VERB`: what `make up`, `preview`, `smoke` and `down` do once `make setup` is done."""

import os
import sys
from contextlib import nullcontext, suppress

import docker
from docker.errors import DockerException

from local import backup, base_image, engine, gateway, install, recovery, replicas, stack, zone
from local.lock import alone
from local.machine import (
    STATE,
    LocalError,
    Machine,
    forget,
    from_environment,
    leads_elsewhere,
    past_proxies,
    remember,
)
from local.smoke import smoke
from local.steps import say


def _start_platform(machine: Machine, *, prefer_official: bool) -> tuple[docker.DockerClient, str]:
    """Start the platform; return the Docker client and the zone's id."""
    client = engine.start()
    gateway.check(client, machine)
    zone.check(machine)
    base_image.prepare(client, prefer_official=prefer_official)
    remember(machine)
    gateway.start(client, machine, prefer_official=prefer_official)
    return client, zone.start(machine)


def _ready_stack(machine: Machine, *, prefer_official: bool = False) -> docker.DockerClient:
    recovery.end_plugins()
    client, zone_id = _start_platform(machine, prefer_official=prefer_official)
    recovery.mend_backend(STATE / "state")
    stack.prepare(machine)
    recovery.require_idle(machine)
    stack.configure(machine, zone=zone_id)
    recovery.recover(client, machine, zone=zone_id)
    return client


def up(machine: Machine) -> None:
    """From whatever is there to a running API, then tried and told of."""
    client = _ready_stack(machine, prefer_official=True)
    try:
        stack.up(machine)
    except LocalError as error:
        raise LocalError("\n".join(filter(None, (str(error), replicas.unhealthy(machine))))) from error
    smoke(machine)
    hostname = stack.outputs(machine)["record"]["name"]
    key = " -H 'apikey: KEY'" if stack.key(machine) != {} else ""
    stand_ins = [*install.stand_ins(), "moto for Route 53"]
    if gateway.is_stand_in(client, machine):
        stand_ins.append("offline/gateway for Kong")
    if base_image.is_stand_in(client):
        stand_ins.append("Debian's packages for the base image")
    url = f"http://127.0.0.1:{machine.proxy_port}"
    say(f"The API is up at {url} for the host {hostname}. Try:")
    print(
        f"\n  curl -i -H 'Host: {hostname}'{key} -H 'Content-Type: application/json' \\\n"
        f'       -d \'{{"userId": 1, "context": "hello"}}\' {url}/sessions\n\n'
        f"Stand-ins in use: {', '.join(stand_ins)}.\n"
        "To go on with plain `pulumi preview`, `pulumi up` and so on: . ./activate\n"
        "To remove everything: make down"
    )


def preview(machine: Machine) -> None:
    """What `make up` would change."""
    _ready_stack(machine)
    stack.preview(machine)


def down(machine: Machine) -> None:
    """Remove the stack and all that was started for it."""
    if not stack.exists(machine) and not stack.file_of(machine).is_file():
        raise LocalError(f"there is no stack {machine.stack} and no {stack.file_of(machine).name}: check STACK")
    if stack.exists(machine):
        recovery.require_idle(machine)
        with suppress(LocalError, DockerException):
            engine.start()  # what it holds can't be counted without it
        backup.confirm_removal(machine)
        try:
            _ready_stack(machine)
            stack.destroy(machine)
        except (LocalError, DockerException) as error:
            say(f"{error}\nGoing on without Kong and Route 53: what the stack has there goes with the platform.")
            recovery.require_idle(machine)
            stack.destroy_without_platform(machine)
    zone.stop()
    client = engine.find()
    if client is not None:
        gateway.stop(client, machine)
    engine.stop()
    forget(machine)
    say("Removed everything except packages, CLI and images, which speed up the next `make up`, and .local/")


ALONE = ("down", "preview", "restore", "up")
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
    for variable in filter(leads_elsewhere, list(os.environ)):
        del os.environ[variable]
    os.environ |= past_proxies()
    try:
        verb, machine = sys.argv[1], from_environment()
        with alone(f"run on stack {machine.stack}") if verb in ALONE else nullcontext():
            VERBS[verb](machine)
    except (LocalError, DockerException) as error:
        print(f"\nStopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Every step is safe to repeat: run the same again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
