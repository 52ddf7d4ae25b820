"""What a run left that failed, was killed or was cut off: its lock, and what it made without noting it."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from local import processes, pulumi_stack, stack_config
from local.console import say, step
from local.images import has_image
from local.route53 import remove_record
from local.workspace import PROJECT, STATE, LocalError, Workspace

PLUGIN = re.compile(r"(pulumi-(analyzer|language|resource)-|-m (infra|offline)\.).* 127\.0\.0\.1:(?P<engine>\d+)$")
"""The command line of a plugin or a language host: its last argument is where its engine listens."""

IMAGE = "docker:index/image:Image"
BUILT_FROM = "__inputs"
"""Where Docker's plugin keeps what an image was built from. It compares nothing else."""


def repair_backend(folder: Path) -> None:
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


def recover(client: docker.DockerClient, workspace: Workspace, *, zone: str) -> None:
    """Mend what a broken run left, so that the next begins from what the state says.

    What the state doesn't have was never noted as done, so nothing relies on it: it goes, and the next `up` makes
    it anew. The engine notes a create before it begins and forgets it when it fails, though it may have had its
    effect. So containers and volumes are found by our labels. Kong's entities need no such care: a repeated create
    of theirs is the same create. Nor does a record that is as declared: the program takes it for its own.
    """
    if not pulumi_stack.exists(workspace):
        return
    if stack_config.docker_host(workspace):
        return  # the containers are not in this machine's engine
    state = pulumi_stack.export_state(workspace)
    deployment = state["deployment"]
    resources = deployment.get("resources") or []
    # A refresh forgets that one did not get healthy, and the run would go on with it as if it had.
    good = {
        resource["id"]: resource for resource in resources if "id" in resource and not resource.get("initErrors")
    }
    _remove_unfinished(client, workspace, good)
    lost = _note_lost_images(client, resources)
    begun = deployment.get("pending_operations") or []
    if not (begun or lost):
        return
    with step("Repairing state left by an interrupted run or manual changes"):
        for operation in begun:
            resource = operation["resource"]
            if operation["type"] == "creating" and resource["type"] == "aws:route53/record:Record":
                remove_record(workspace, zone, resource.get("inputs", {}))
        deployment["pending_operations"] = []
        pulumi_stack.import_state(workspace, state)


def require_idle(workspace: Workspace) -> None:
    """Raises `LocalError` while a run of pulumi works on the stack: what the state lacks may be under way."""
    if is_locked(STATE / "state" / ".pulumi" / "locks" / "organization" / PROJECT / workspace.stack):
        raise LocalError(
            f"another Pulumi run is updating stack {workspace.stack}. Wait for it to finish, then try again. If "
            "it ran on another machine and was killed there, run `pulumi cancel` first."
        )


def end_plugins() -> None:
    """End plugins and language hosts whose engine was killed: they would go on with their work for minutes."""
    for pid, command in processes.list_processes():
        plugin = PLUGIN.search(command)
        if plugin and not _listens(int(plugin["engine"])):
            say(f"Ending a plugin of a run that was killed (process {pid})")
            processes.terminate(pid)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def is_locked(locks: Path) -> bool:
    """Whether a run works on the stack of these locks. One whose process on this machine has ended is removed."""
    held = False
    for lock in locks.glob("*.json"):
        try:
            holder = json.loads(lock.read_text())
        except ValueError:  # the run was killed while it wrote this
            holder = {"hostname": socket.gethostname()}
        if holder["hostname"] == socket.gethostname() and not processes.is_running(holder.get("pid", 0), "pulumi"):
            say(f"Removing the lock of a run that was killed (process {holder.get('pid')})")
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)
        else:
            held = True
    return held


def _note_lost_images(client: docker.DockerClient, resources: list[dict[str, Any]]) -> bool:
    """Let the state forget what a removed image was built from; return whether there is one.

    Docker's plugin does not look for the image; a taint, which would have it built again, is lost in a refresh.
    """
    images = [
        found
        for found in resources
        # One that was pushed is pulled when it is needed.
        if found["type"] == IMAGE and BUILT_FROM in found.get("outputs", {}) and found["inputs"].get("skipPush")
    ]
    lost = [image for image in images if not has_image(client, image["inputs"]["imageName"])]
    for image in lost:
        say(f"Image {image['inputs']['imageName']} was removed, so it is built again")
        del image["outputs"][BUILT_FROM]
    return bool(lost)


def _is_cut_off(container: Container, declared: dict[str, Any]) -> bool:
    """Whether nobody can reach it: it is paused or out of its network, for which Docker's plugin does not look."""
    networks = {network["name"] for network in declared.get("inputs", {}).get("networksAdvanced") or []}
    live: dict[str, Any] = container.attrs
    return live["State"]["Paused"] or not networks <= live["NetworkSettings"]["Networks"].keys()


def _remove_unfinished(client: docker.DockerClient, workspace: Workspace, good: dict[str, dict[str, Any]]) -> None:
    """Remove the stack's containers and volumes but the good ones of its state; never a volume that holds data."""
    ours: dict[str, str | list[str] | bool] = {"label": stack_config.labels(workspace)}
    containers = client.containers.list(all=True, filters=ours, ignore_removed=True)
    volumes = client.volumes.list(filters=ours)
    for container in containers:
        key = str(container.id)
        if key not in good:
            say(f"Removing container {container.name}, which a broken run left unfinished")
        elif _is_cut_off(container, good[key]):
            say(
                f"Removing container {container.name}, which nobody can reach: it is paused, or out of its network"
            )
        else:
            continue
        container.remove(force=True, v=True)
    for volume in volumes:
        name = str(volume.name)
        if name in good:
            continue
        if _is_empty(client, name):
            say(f"Removing volume {name}, which a broken run left unfinished")
            volume.remove()
        else:
            say(
                f"Volume {name} is not in the stack's state but holds data: look at it, then `docker volume rm` it"
            )


def _is_empty(client: docker.DockerClient, volume: str) -> bool:
    used: list[dict[str, Any]] = client.df()["Volumes"] or []
    return any(found["Name"] == volume and found["UsageData"]["Size"] == 0 for found in used)
