"""What a run left that failed, was killed or was cut off: its lock, and what it made without noting it."""

import contextlib
import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import docker

from local import stack
from local.engine import end_process, is_process
from local.machine import STATE, Machine
from local.stack import PROJECT, pulumi
from local.steps import say, step
from local.zone import remove_record

PLUGIN = re.compile(r"(pulumi-resource-|-m (infra|offline)\.).* 127\.0\.0\.1:(?P<engine>\d+)$")
"""A plugin's command line: its only argument is where its engine listens."""


def mend_backend(folder: Path) -> None:
    """Remove descriptions of the backend's files that were half written when the engine was killed.

    The backend needs none, but reads nothing past a broken one: "failed to load checkpoint: EOF".
    """
    for description in folder.rglob("*.attrs"):
        try:
            json.loads(description.read_text())
        except FileNotFoundError:  # of a lock that was just let go
            continue
        except ValueError:
            say(f"Removing {description.name}, which a killed run had half written")
            description.unlink(missing_ok=True)


def recover(client: docker.DockerClient, machine: Machine, *, zone: str) -> None:
    """Mend what a broken run left, so that the next begins from what the state says.

    What the state doesn't have was never noted as done, so nothing relies on it: it goes, and the next `up` makes
    it anew. The engine notes a create before it begins and forgets it when it fails, though it may have had its
    effect. So containers and volumes are found by our labels. Kong's entities need no such care: a repeated create
    of theirs is the same create. Nor does a record that is as declared: the program takes it for its own.
    """
    if not stack.exists(machine):
        return
    _end_plugins()
    if is_held(STATE / "state" / ".pulumi" / "locks" / "organization" / PROJECT / machine.stack):
        return  # what isn't noted yet may be under way
    state = stack.exported(machine)
    deployment = state["deployment"]
    recorded = {resource["id"] for resource in deployment.get("resources") or [] if "id" in resource}
    _remove_unrecorded(client, machine, recorded)
    begun = deployment.get("pending_operations") or []
    if not begun:
        return
    with step(f"A run was killed: clearing up after {len(begun)} operations it had begun"):
        for operation in begun:
            resource = operation["resource"]
            if operation["type"] == "creating" and resource["type"] == "aws:route53/record:Record":
                remove_record(machine, zone, resource.get("inputs", {}))
        deployment["pending_operations"] = []
        _import(state)


def _end_plugins() -> None:
    """End plugins whose engine was killed: they would go on for minutes with what they were making."""
    ours = ["ps", "-ww", "-U", str(os.getuid()), "-o", "pid=,args="]
    listed = subprocess.run(ours, capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        pid, _, arguments = line.strip().partition(" ")
        plugin = PLUGIN.search(arguments)
        if plugin and not _listens(int(plugin["engine"])):
            say(f"Ending a plugin of a run that was killed (process {pid})")
            with contextlib.suppress(ProcessLookupError):
                end_process(int(pid))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def is_held(locks: Path) -> bool:
    """Whether a run works on the stack of these locks. One whose process on this machine has ended is removed."""
    held = False
    for lock in locks.glob("*.json"):
        try:
            holder = json.loads(lock.read_text())
        except ValueError:  # the run was killed while it wrote this
            holder = {"hostname": socket.gethostname()}
        if holder["hostname"] == socket.gethostname() and not is_process(holder.get("pid", 0), "pulumi"):
            say(f"Removing the lock of a run that was killed (process {holder.get('pid')})")
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)
        else:
            held = True
    return held


def _remove_unrecorded(client: docker.DockerClient, machine: Machine, recorded: set[str]) -> None:
    """Remove the stack's containers and volumes that are not in its state; never a volume that holds anything."""
    ours: dict[str, str | list[str] | bool] = {
        "label": [f"session-context.project={PROJECT}", f"session-context.stack={machine.stack}"]
    }
    for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
        if container.id not in recorded:
            say(f"Removing container {container.name}, which a broken run made and did not note")
            container.remove(force=True, v=True)
    strays = {str(volume.name): volume for volume in client.volumes.list(filters=ours)}
    for name in strays.keys() - recorded:
        if _is_empty(client, name):
            say(f"Removing volume {name}, which a broken run made and did not note")
            strays[name].remove()
        else:
            say(
                f"Volume {name} is not in the stack's state but holds data: look at it, then `docker volume rm` it"
            )


def _is_empty(client: docker.DockerClient, volume: str) -> bool:
    used: list[dict[str, Any]] = client.df()["Volumes"] or []
    return any(found["Name"] == volume and found["UsageData"]["Size"] == 0 for found in used)


def _import(state: dict[str, Any]) -> None:
    """Let this be the stack's state."""
    mended = STATE / "mended-state.json"
    mended.touch(mode=0o600)
    mended.write_text(json.dumps(state))
    pulumi("stack", "import", "--file", str(mended), log="stack-import")
    mended.unlink()
