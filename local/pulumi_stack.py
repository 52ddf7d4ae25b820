"""The Pulumi stack of this machine: its config, `up`, `preview` and `destroy`."""

import json
import re
import subprocess
from typing import Any

from infra.report.markdown import render, render_failure, to_plain_text
from infra.report.preview import NoPreviewError, parse
from local.console import run, run_in_foreground, say, step
from local.stack_config import docker_host, read_config
from local.workspace import ROOT, STACKS, STATE, LocalError, Workspace, build_environment

REPORT = STATE / "preview.md"
RAW = STATE / "preview.json"
PLATFORMS = re.compile("(pulumi:providers:)?(aws|kong)(:|$)")
"""Types of what is in the platform's Kong and Route 53."""

REFRESH = ("--refresh", "--run-program")
"""Look at what is really there, through the providers as the config has them now, not as the state has them."""


def run_pulumi(*arguments: str, log: str) -> str:
    """Run the CLI quietly; its output."""
    return run(["pulumi", "--non-interactive", *arguments], log=log)


def create(workspace: Workspace) -> None:
    """Have the backend, and the stack in it."""
    read_config(workspace)
    (STATE / "state").mkdir(parents=True, exist_ok=True)
    if not exists(workspace):
        run_pulumi("stack", "init", workspace.stack, log="stack-init")


def exists(workspace: Workspace) -> bool:
    """Whether the backend has the stack, perhaps with nothing in it."""
    return (STACKS / f"{workspace.stack}.json").is_file()


def up(workspace: Workspace) -> None:
    """Run `pulumi up` in front of the user, on what is really there, and select the stack for more.

    Its preview comes first: what stops that, stops it before anything is made.
    """
    run_pulumi("stack", "select", workspace.stack, log="stack-select")
    command = ["pulumi", "up", "--yes", *REFRESH, "--stack", workspace.stack]
    _show(command, "Bringing up the stack", "pulumi-up", again="make up")


def _show(command: list[str], title: str, log: str, *, again: str) -> None:
    code = run_in_foreground(command, title, log=log)
    if code < 0:
        raise LocalError(f"`pulumi` was ended by signal {-code}. Run `{again}` again: it continues from there.")
    if code:
        raise LocalError(f"`pulumi {command[1]}` failed; the reason is above. Then run `{again}` again.")


def preview(workspace: Workspace) -> None:
    """Tell what `make up` would change, and write it down for a reviewer."""
    command = [
        "pulumi",
        "--non-interactive",
        "preview",
        "--json",
        "--show-sames",
        *REFRESH,
        "--stack",
        workspace.stack,
    ]
    with step("Previewing"):
        done = subprocess.run(
            command, cwd=ROOT, env=build_environment(), capture_output=True, text=True, check=False
        )
    try:
        text = render(parse(done.stdout))
    except NoPreviewError:
        text = render_failure(done.stderr)
    RAW.write_text(done.stdout)
    REPORT.write_text(text)
    print(f"\n{to_plain_text(text)}\n")
    say(f"With the graph, to paste into a pull request: {REPORT.relative_to(ROOT)}")
    if done.returncode:
        raise LocalError("`pulumi preview` failed; the reason is above.")


def destroy(workspace: Workspace) -> None:
    """Remove everything the stack made, and the stack.

    Through the providers as the config has them now: a refresh, or a run without the program, would ask at the
    addresses that the state has, which may be those of an earlier config. Of a stack that was never whole, the
    program's run notes the providers that were missing and leaves them in the state: so what is left goes without
    the program.
    """
    for flags in (("--run-program",), ()):
        if export_state(workspace)["deployment"].get("resources"):
            _destroy(workspace, *flags)
    run_pulumi("stack", "rm", "--yes", "--preserve-config", workspace.stack, log="stack-rm")


def _destroy(workspace: Workspace, *flags: str) -> None:
    command = ["pulumi", "destroy", "--yes", *flags, "--skip-preview", "--stack", workspace.stack]
    _show(command, "Removing the stack", "pulumi-destroy", again="make down")


def destroy_without_platform(workspace: Workspace) -> None:
    """Remove what the stack made on its Docker engine, and the stack, without asking Kong or Route 53.

    For a stack of this machine they are part of the platform, and what the stack has there goes with it.
    """
    state = export_state(workspace)
    resources = state["deployment"].get("resources") or []
    if any(resource.get("protect") for resource in resources):
        raise LocalError(
            "the stack is protected. Run `pulumi config set protect false` and `make up`, then `make down` again."
        )
    kept = [resource for resource in resources if not PLATFORMS.match(resource["type"])]
    host = docker_host(workspace)
    for provider in (resource for resource in kept if resource["type"] == "pulumi:providers:docker"):
        for properties in (provider["inputs"], provider["outputs"]):
            properties.pop("host", None)
            properties |= {"host": host} if host else {}
    state["deployment"] |= {"resources": kept, "pending_operations": []}
    import_state(workspace, state)
    if kept:
        _destroy(workspace)
    run_pulumi("stack", "rm", "--yes", "--preserve-config", workspace.stack, log="stack-rm")


def import_state(workspace: Workspace, state: dict[str, Any]) -> None:
    """Let this be the stack's state."""
    file = STATE / "repaired-state.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(state))
    run_pulumi("stack", "import", "--stack", workspace.stack, "--file", str(file), log="stack-import")
    file.unlink()


def export_state(workspace: Workspace) -> dict[str, Any]:
    """The state as `pulumi stack export` tells it: what there is, and what was begun and not noted as done."""
    state: dict[str, Any] = json.loads(
        run_pulumi("stack", "export", "--stack", workspace.stack, log="stack-export")
    )
    return state


def read_outputs(workspace: Workspace) -> dict[str, Any]:
    """What the stack says of itself."""
    told: dict[str, Any] = json.loads(
        run_pulumi("stack", "output", "--json", "--stack", workspace.stack, log="outputs")
    )
    return told
