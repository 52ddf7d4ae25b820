"""The Pulumi stack of this machine: its config, `up`, `preview` and `destroy`."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from local.machine import LOOPBACK, PROJECT, ROOT, STACKS, STATE, LocalError, Machine, environment
from local.report.digest import NoPreviewError, read
from local.report.markdown import failed, plain, report
from local.steps import run, say, show, step

REPORT = STATE / "preview.md"
RAW = STATE / "preview.json"
PLATFORMS = re.compile("(pulumi:providers:)?(aws|kong)(:|$)")
"""Types of what is in the platform's Kong and Route 53."""

REFRESH = ("--refresh", "--run-program")
"""Look at what is really there, through the providers as the config has them now, not as the state has them."""


def pulumi(*arguments: str, log: str) -> str:
    """Run the CLI quietly; its output."""
    return run(["pulumi", "--non-interactive", *arguments], log=log)


def prepare(machine: Machine) -> None:
    """Have the backend, and the stack in it."""
    _config(machine)
    (STATE / "state").mkdir(parents=True, exist_ok=True)
    if not exists(machine):
        pulumi("stack", "init", machine.stack, log="stack-init")


def file_of(machine: Machine) -> Path:
    """The stack's config."""
    return ROOT / f"Pulumi.{machine.stack}.yaml"


def exists(machine: Machine) -> bool:
    """Whether the backend has the stack, perhaps with nothing in it."""
    return (STACKS / f"{machine.stack}.json").is_file()


def configure(machine: Machine, *, zone: str) -> None:
    """Make the stack's config say where the platform is, where it doesn't yet."""
    wanted: dict[str, Any] = {
        f"{PROJECT}:kongAdminUrl": f"http://127.0.0.1:{machine.admin_port}",
        f"{PROJECT}:hostedZoneId": zone,
        f"{PROJECT}:network": machine.platform,
        "aws:endpoints": [{"route53": f"http://127.0.0.1:{machine.dns_port}"}],
    }
    file, config = file_of(machine), _config(machine)
    kong = config.get(f"{PROJECT}:kongAdminUrl") or ""
    if kong.startswith(("http://", "https://")) and urlsplit(kong).hostname not in LOOPBACK:
        raise LocalError(
            f"{file.name} names the Kong at {kong}, and this command brings up one of its own. Use `pulumi up` "
            "for that Kong, or remove kongAdminUrl from the file."
        )
    for key, value in wanted.items():
        if config.get(key) == value:
            continue
        say(f"{file.name}: {key} is now {json.dumps(value)}")
        to = ["--path", f"{key}[0].route53", value[0]["route53"]] if isinstance(value, list) else [key, value]
        pulumi("config", "set", "--stack", machine.stack, *to, log="config-set")


def _config(machine: Machine) -> dict[str, Any]:
    """What the stack's file sets, its secrets encrypted."""
    file = file_of(machine)
    if not file.is_file():
        raise LocalError(f"there is no {file.name}: begin with a copy of Pulumi.dev.yaml")
    try:
        config: dict[str, Any] = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    except yaml.YAMLError as error:
        raise LocalError(f"{file.name} is not valid YAML: {error}") from error
    return config


def labels(machine: Machine) -> list[str]:
    """What the stack's containers and volumes have in common, as Docker's filters want it."""
    return [f"session-context.project={PROJECT}", f"session-context.stack={machine.stack}"]


def docker_host(machine: Machine) -> str:
    """The engine that the stack names; empty for that of this machine."""
    return str(_config(machine).get(f"{PROJECT}:dockerHost") or "")


def plain_http(machine: Machine) -> str:
    """What the stack's route gives a request over plain HTTP: serve, redirect or refuse."""
    return str(_config(machine).get(f"{PROJECT}:plainHttp") or "serve")


def requests_per_minute(machine: Machine) -> int | None:
    """The stack's limit on requests; None without one."""
    limit = _config(machine).get(f"{PROJECT}:requestsPerMinute")
    return int(limit) if limit else None


def key(machine: Machine) -> dict[str, str] | None:
    """The header that lets one of the stack's consumers in: empty where nobody needs it, None without a consumer.

    The keys of consumers of the platform are not known here.
    """
    if str(_config(machine).get(f"{PROJECT}:keyAuth")).lower() != "true":
        return {}
    # Not by `run`, which writes what it reads into a log.
    done = subprocess.run(
        ["pulumi", "--non-interactive", "config", "get", "consumers", "--stack", machine.stack],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalError(f"the consumers' keys can't be read: {done.stderr.strip()}")
    keys: list[str] = list(json.loads(done.stdout).values())
    return {"apikey": keys[0]} if keys else None


def up(machine: Machine) -> None:
    """Run `pulumi up` in front of the user, on what is really there, and select the stack for more.

    Its preview comes first: what stops that, stops it before anything is made.
    """
    pulumi("stack", "select", machine.stack, log="stack-select")
    command = ["pulumi", "up", "--yes", *REFRESH, "--stack", machine.stack]
    _show(command, "Bringing up the stack", "pulumi-up", again="make up")


def _show(command: list[str], title: str, log: str, *, again: str) -> None:
    code = show(command, title, log=log)
    if code < 0:
        raise LocalError(f"`pulumi` was ended by signal {-code}. Run `{again}` again: it continues from there.")
    if code:
        raise LocalError(f"`pulumi {command[1]}` failed; the reason is above. Then run `{again}` again.")


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
    RAW.write_text(done.stdout)
    REPORT.write_text(told)
    print(f"\n{plain(told)}\n")
    say(f"With the graph, to paste into a pull request: {REPORT.relative_to(ROOT)}")
    if done.returncode:
        raise LocalError("`pulumi preview` failed; the reason is above.")


def destroy(machine: Machine) -> None:
    """Remove everything the stack made, and the stack.

    Through the providers as the config has them now: a refresh, or a run without the program, would ask at the
    addresses that the state has, which may be those of an earlier config. Of a stack that was never whole, the
    program's run notes the providers that were missing and leaves them in the state: so what is left goes without
    the program.
    """
    for flags in (("--run-program",), ()):
        if exported(machine)["deployment"].get("resources"):
            _destroy(machine, *flags)
    pulumi("stack", "rm", "--yes", "--preserve-config", machine.stack, log="stack-rm")


def _destroy(machine: Machine, *flags: str) -> None:
    command = ["pulumi", "destroy", "--yes", *flags, "--skip-preview", "--stack", machine.stack]
    _show(command, "Removing the stack", "pulumi-destroy", again="make down")


def destroy_without_platform(machine: Machine) -> None:
    """Remove what the stack made on its Docker engine, and the stack, without asking Kong or Route 53.

    For a stack of this machine they are part of the platform, and what the stack has there goes with it.
    """
    state = exported(machine)
    resources = state["deployment"].get("resources") or []
    if any(resource.get("protect") for resource in resources):
        raise LocalError(
            "the stack is protected. Run `pulumi config set protect false` and `make up`, then `make down` again."
        )
    kept = [resource for resource in resources if not PLATFORMS.match(resource["type"])]
    host = docker_host(machine)
    for provider in (resource for resource in kept if resource["type"] == "pulumi:providers:docker"):
        for properties in (provider["inputs"], provider["outputs"]):
            properties.pop("host", None)
            properties |= {"host": host} if host else {}
    state["deployment"] |= {"resources": kept, "pending_operations": []}
    replace_state(machine, state)
    if kept:
        _destroy(machine)
    pulumi("stack", "rm", "--yes", "--preserve-config", machine.stack, log="stack-rm")


def replace_state(machine: Machine, state: dict[str, Any]) -> None:
    """Let this be the stack's state."""
    file = STATE / "repaired-state.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(state))
    pulumi("stack", "import", "--stack", machine.stack, "--file", str(file), log="stack-import")
    file.unlink()


def exported(machine: Machine) -> dict[str, Any]:
    """The state as `pulumi stack export` tells it: what there is, and what was begun and not noted as done."""
    state: dict[str, Any] = json.loads(pulumi("stack", "export", "--stack", machine.stack, log="stack-export"))
    return state


def outputs(machine: Machine) -> dict[str, Any]:
    """What the stack says of itself."""
    told: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "--stack", machine.stack, log="outputs"))
    return told
