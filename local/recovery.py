"""Recovery from runs that failed or were killed: locks, plugins, and resources missing from the state."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from local import processes, pulumi_stack, stack_config
from local.cluster import leftovers
from local.console import say, step
from local.lost_images import find_lost_images
from local.route53 import delete_record
from local.workspace import PROJECT, STATE, LocalError, Workspace

PLUGIN = re.compile(r"(pulumi-(analyzer|language|resource)-|-m (infra|offline)\.).* 127\.0\.0\.1:(?P<engine>\d+)$")
"""The command line of a plugin or language host: its last argument is its engine's address."""

ENGINE = "pulumi"


def repair_backend(folder: Path) -> None:
    """Remove file attributes in the backend that a killed engine left half-written.

    The backend does not need them, but fails at a broken one: "failed to load checkpoint: EOF".
    """
    for attributes in folder.rglob("*.attrs"):
        try:
            json.loads(attributes.read_text())
        except FileNotFoundError:  # of a lock that was just released
            continue
        except ValueError:
            say(f"Removing {attributes.name}, left half-written by a killed run")
            attributes.unlink(missing_ok=True)


def recover(client: docker.DockerClient, workspace: Workspace, *, zone: str) -> None:
    """Remove or repair what an interrupted run left, so that the next run can rely on the state.

    A container or volume that the state lacks is not in use yet: it is removed, and the next `up` creates it
    again. They are found by their labels, since the engine forgets a create that failed, even if it took effect.
    Kong's entities need no repair, because repeating a create is harmless, nor does a record with the declared
    values, because the program adopts it.
    """
    if not pulumi_stack.exists(workspace):
        return
    if stack_config.docker_host(workspace):
        return  # the containers are on another machine
    state = pulumi_stack.read_state(workspace)
    deployment = state["deployment"]
    resources = deployment.get("resources") or []
    # A refresh would forget that a container never became healthy, and the run would continue with it.
    healthy = {
        resource["id"]: resource for resource in resources if "id" in resource and not resource.get("initErrors")
    }
    _remove_unfinished(client, workspace, healthy)
    if stack_config.uses_local_cluster(workspace):
        leftovers.remove_unfinished(workspace, resources)
    rebuilds = _force_rebuild_of_lost_images(client, workspace, resources)
    pending = deployment.get("pending_operations") or []
    if not (pending or rebuilds):
        return
    with step("Repairing state left by an interrupted run or manual changes"):
        for operation in pending:
            resource = operation["resource"]
            if operation["type"] == "creating" and resource["type"] == "aws:route53/record:Record":
                delete_record(workspace, zone, resource.get("inputs", {}))
        deployment["pending_operations"] = []
        pulumi_stack.import_state(workspace, state)


def require_idle(workspace: Workspace) -> None:
    """Raise `LocalError` while another run updates the stack: it may be creating what the state lacks."""
    if is_locked(STATE / "state" / ".pulumi" / "locks" / "organization" / PROJECT / workspace.stack):
        raise LocalError(
            f"another Pulumi run is updating stack {workspace.stack}. Wait for it to finish, then try again. If "
            "it ran on another machine and was killed there, run `pulumi cancel` first."
        )


def is_locked(folder: Path) -> bool:
    """Return whether a run holds a lock in this folder; remove the locks of processes that have ended here."""
    locked = False
    for file in folder.glob("*.json"):
        try:
            lock = json.loads(file.read_text())
        except ValueError:  # killed while writing it
            lock = {"hostname": socket.gethostname()}
        if lock["hostname"] == socket.gethostname() and not processes.is_running(lock.get("pid", 0), "pulumi"):
            say(f"Removing the lock of a killed run (process {lock.get('pid')})")
            file.unlink(missing_ok=True)
            file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
        else:
            locked = True
    return locked


def terminate_plugins() -> None:
    """Terminate plugins and language hosts whose engine was killed: they would keep working for minutes.

    An engine in another network namespace does not answer at its address here, but its plugins are its children.
    """
    for pid, command in processes.list_processes():
        plugin = PLUGIN.search(command)
        if plugin and not _listens(int(plugin["engine"])) and not processes.has_ancestor(pid, ENGINE):
            say(f"Terminating a plugin of a killed run (process {pid})")
            processes.terminate(pid)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def _force_rebuild_of_lost_images(
    client: docker.DockerClient, workspace: Workspace, resources: list[dict[str, Any]]
) -> bool:
    """Make the next `up` build again what was removed; return whether anything was."""
    lost = find_lost_images(client, workspace, resources)
    for image in lost:
        say(f"Image {image.name} is missing {image.where} and will be rebuilt")
        image.force_rebuild()
    return bool(lost)


def _remove_unfinished(
    client: docker.DockerClient, workspace: Workspace, healthy: dict[str, dict[str, Any]]
) -> None:
    """Remove the stack's containers and volumes except the healthy ones in its state; keep volumes with data."""
    ours: dict[str, str | list[str] | bool] = {"label": stack_config.labels(workspace)}
    containers = client.containers.list(all=True, filters=ours, ignore_removed=True)
    volumes = client.volumes.list(filters=ours)
    for container in containers:
        resource = healthy.get(str(container.id))
        if resource is None:
            say(f"Removing container {container.name}, left unfinished by an interrupted run")
        elif is_unreachable(container, resource):
            say(f"Removing container {container.name}, which is paused or disconnected from its network")
        else:
            continue
        container.remove(force=True, v=True)
    for volume in volumes:
        name = str(volume.name)
        if name in healthy:
            continue
        if _is_empty(client, name):
            say(f"Removing volume {name}, left unfinished by an interrupted run")
            volume.remove()
        else:
            say(f"Volume {name} is not in the stack's state but has data. Check it, then `docker volume rm` it.")


def is_unreachable(container: Container, resource: dict[str, Any]) -> bool:
    """Return whether a container is paused or out of its network, which Docker's plugin does not check."""
    networks = {network["name"] for network in resource.get("inputs", {}).get("networksAdvanced") or []}
    live: dict[str, Any] = container.attrs
    return live["State"]["Paused"] or not networks <= live["NetworkSettings"]["Networks"].keys()


def _is_empty(client: docker.DockerClient, volume: str) -> bool:
    used: list[dict[str, Any]] = client.df()["Volumes"] or []
    return any(found["Name"] == volume and found["UsageData"]["Size"] == 0 for found in used)
