"""The Pulumi stack of this machine: its config, what a killed run left of it, `up` and `destroy`."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.errors import NotFound

from local.engine import is_process
from local.machine import ROOT, STATE, LocalError, Machine, environment
from local.report.digest import NoPreviewError, read
from local.report.markdown import failed, plain, report
from local.steps import run, say, show, step
from local.zone import remove_record

PROJECT = "session-context"
REPORT = STATE / "preview.md"
REFRESH = ("--refresh", "--run-program")
"""Look at what is really there, through the providers as the config has them now, not as the state has them."""


def pulumi(*arguments: str, log: str) -> str:
    """Run the CLI quietly; its output."""
    return run(["pulumi", "--non-interactive", *arguments], log=log)


def prepare(machine: Machine) -> None:
    """Have the backend, and the stack in it selected."""
    if not _file(machine).is_file():
        raise LocalError(f"there is no {_file(machine).name}: begin with a copy of Pulumi.dev.yaml")
    (STATE / "state").mkdir(parents=True, exist_ok=True)
    if not exists(machine):
        pulumi("stack", "init", machine.stack, log="stack-init")
    pulumi("stack", "select", machine.stack, log="stack-select")


def _file(machine: Machine) -> Path:
    return ROOT / f"Pulumi.{machine.stack}.yaml"


def exists(machine: Machine) -> bool:
    """Whether the backend has the stack, perhaps with nothing in it."""
    return (STATE / "state" / ".pulumi" / "stacks" / PROJECT / f"{machine.stack}.json").is_file()


def configure(machine: Machine, *, zone: str) -> None:
    """Make the stack's config say where the platform is, where it doesn't yet."""
    wanted: dict[str, Any] = {
        f"{PROJECT}:kongAdminUrl": f"http://127.0.0.1:{machine.admin_port}",
        f"{PROJECT}:hostedZoneId": zone,
        f"{PROJECT}:network": machine.platform,
        "aws:endpoints": [{"route53": f"http://127.0.0.1:{machine.dns_port}"}],
    }
    file = _file(machine)
    config: dict[str, Any] = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    for key, value in wanted.items():
        if config.get(key) == value:
            continue
        say(f"{file.name}: {key} is now {json.dumps(value)}")
        if isinstance(value, list):
            pulumi("config", "set", "--path", f"{key}[0].route53", value[0]["route53"], log="config-set")
        else:
            pulumi("config", "set", key, value, log="config-set")


def recover(client: docker.DockerClient, machine: Machine, *, zone: str) -> None:
    """Mend what a killed run left: its lock, and what it was making when it ended.

    The engine notes a create before it begins, so what is noted as begun may or may not be there. It was never
    noted as done, so nothing relies on it: it goes, and the next `up` makes it anew. Kong's entities need no such
    care, since a repeated create of theirs is the same create.
    """
    if not exists(machine):
        return
    _unlock(machine)
    state = json.loads(pulumi("stack", "export", log="stack-export"))
    begun = state["deployment"].get("pending_operations") or []
    if not begun:
        return
    with step(f"A run was killed: clearing up after {len(begun)} operations it had begun"):
        made = [operation["resource"] for operation in begun if operation["type"] == "creating"]
        for resource in sorted(made, key=lambda resource: str(resource["type"])):  # containers before volumes
            _remove(client, machine, zone, resource["type"], resource.get("inputs", {}))
        state["deployment"]["pending_operations"] = []
        mended = STATE / "mended-state.json"
        mended.touch(mode=0o600)
        mended.write_text(json.dumps(state))
        pulumi("stack", "import", "--file", str(mended), log="stack-import")
        mended.unlink()


def _unlock(machine: Machine) -> None:
    """Remove locks whose process on this machine has ended: it can't do it any more."""
    folder = STATE / "state" / ".pulumi" / "locks" / "organization" / PROJECT / machine.stack
    for lock in folder.glob("*.json"):
        try:
            holder = json.loads(lock.read_text())
        except ValueError:  # the run was killed while it wrote this
            holder = {"hostname": socket.gethostname()}
        if holder["hostname"] == socket.gethostname() and not is_process(holder.get("pid", 0), "pulumi"):
            say(f"Removing the lock of a run that was killed (process {holder.get('pid')})")
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)


def _remove(client: docker.DockerClient, machine: Machine, zone: str, kind: str, inputs: dict[str, Any]) -> None:
    ours = {"session-context.project": PROJECT, "session-context.stack": machine.stack}
    try:
        if kind == "docker:index/container:Container":
            container = client.containers.get(inputs["name"])
            if ours.items() <= container.labels.items():
                container.remove(force=True, v=True)
        elif kind == "docker:index/volume:Volume":
            volume = client.volumes.get(inputs["name"])
            if ours.items() <= (volume.attrs["Labels"] or {}).items():
                volume.remove(force=True)
    except NotFound:
        return
    if kind == "aws:route53/record:Record":
        remove_record(machine, zone, inputs)


def up(machine: Machine) -> None:
    """Run `pulumi up` in front of the user, on what is really there (`--refresh`)."""
    if show(["pulumi", "up", "--yes", *REFRESH, "--skip-preview", "--stack", machine.stack]):
        raise LocalError("`pulumi up` failed; what it says above is the reason. Then run `make up` again.")


def preview(machine: Machine) -> None:
    """Tell what `make up` would change, and write it down for a reviewer."""
    command = [
        "pulumi",
        "--non-interactive",
        "preview",
        "--json",
        "--show-sames",
        *REFRESH,
        "--stack",
        machine.stack,
    ]
    with step("Previewing"):
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    try:
        told = report(read(done.stdout))
    except NoPreviewError:
        told = failed(done.stderr)
    REPORT.write_text(told)
    print(f"\n{plain(told)}\n")
    say(f"With the graph, to paste into a pull request: {REPORT.relative_to(ROOT)}")
    if done.returncode:
        raise LocalError("`pulumi preview` failed; what it says above is the reason.")


def destroy(machine: Machine) -> None:
    """Remove everything the stack made, and the stack."""
    if show(["pulumi", "destroy", "--yes", *REFRESH, "--skip-preview", "--stack", machine.stack]):
        raise LocalError("`pulumi destroy` failed; what it says above is the reason. Then run `make down` again.")
    pulumi("stack", "rm", "--yes", "--preserve-config", machine.stack, log="stack-rm")


def outputs(machine: Machine) -> dict[str, Any]:
    """What the stack says of itself."""
    told: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "--stack", machine.stack, log="outputs"))
    return told
