"""The Pulumi stack of this machine: `up`, `preview` and `destroy`, and its state."""

import json
import re
from pathlib import Path
from typing import Any

from infra.report.markdown import render, render_failure, to_plain_text
from infra.report.preview import NoPreviewError, parse
from local.console import capture, run, run_in_foreground, say, step
from local.stack_config import docker_host, read_config
from local.workspace import ROOT, STACKS, STATE, LocalError, Workspace

REPORT = STATE / "preview.md"
RAW = STATE / "preview.json"
PLATFORM_TYPES = re.compile("(pulumi:providers:)?(aws|kong)(:|$)")
"""Types of resources in the platform's Kong and Route 53."""

CLUSTER_TYPES = re.compile("(pulumi:providers:)?kubernetes(:|$)")

REFRESH = ("--refresh", "--run-program")
"""Refresh through the providers as the config has them now, not as the state has them."""


def create(workspace: Workspace) -> None:
    """Create the backend and the stack in it, unless they exist."""
    read_config(workspace)
    (STATE / "state").mkdir(parents=True, exist_ok=True)
    if not exists(workspace):
        _pulumi("stack", "init", workspace.stack, log="stack-init")


def exists(workspace: Workspace) -> bool:
    """Return whether the backend has the stack, be it empty."""
    return _state_file(workspace).is_file()


def require_deployed(workspace: Workspace) -> None:
    """Raise `LocalError` if the stack has no resources, as after a preview alone."""
    if not (exists(workspace) and read_state(workspace)["deployment"].get("resources")):
        raise LocalError(workspace.explain_missing_stack())


def require_unprotected(workspace: Workspace) -> None:
    """Raise `LocalError` if the stack must not be destroyed."""
    if any(resource.get("protect") for resource in read_state(workspace)["deployment"].get("resources") or []):
        raise LocalError(
            f"stack {workspace.stack} is protected. Run `pulumi config set protect false --stack "
            f"{workspace.stack}` and `{workspace.command('up')}`, then `{workspace.command('down')}` again."
        )


def up(workspace: Workspace) -> None:
    """Run `pulumi up` with a refresh in the foreground, and select the stack for later commands.

    It previews first, so that what fails in a preview fails before anything is created.
    """
    _pulumi("stack", "select", workspace.stack, log="stack-select")
    command = ["pulumi", "up", "--yes", *REFRESH, "--stack", workspace.stack]
    _run_in_foreground(command, "Deploying the stack", "pulumi-up", again="make up")


def preview(workspace: Workspace) -> None:
    """Print what `make up` would change, and write the report for a reviewer."""
    command = ["pulumi", "--non-interactive", "preview", "--json", "--show-sames", *REFRESH]
    with step("Previewing the stack"):
        done = capture([*command, "--stack", workspace.stack])
    try:
        markdown = render(parse(done.stdout))
    except NoPreviewError:
        markdown = render_failure(done.stderr)
    RAW.write_text(done.stdout)
    REPORT.write_text(markdown)
    print(f"\n{to_plain_text(markdown)}\n")
    say(f"The same with a graph, to paste into a pull request: {REPORT.relative_to(ROOT)}")
    if done.returncode:
        raise LocalError("`pulumi preview` failed; see the error above.")


def write_failure(error: LocalError) -> None:
    """Write the report of a preview that could not begin, in place of an earlier one."""
    REPORT.write_text(render_failure(str(error)))


def destroy(workspace: Workspace) -> None:
    """Destroy all of the stack's resources, and remove the stack.

    The program runs so that the providers have today's config: without it, they would use the addresses in the
    state, which may be outdated. What a partly created stack still has after that goes without the program, whose
    run registers the missing providers and leaves them in the state.
    """
    for flags in (("--run-program",), ()):
        if read_state(workspace)["deployment"].get("resources"):
            _destroy(workspace, *flags)
    _remove_stack(workspace)


def destroy_without_platform(workspace: Workspace, *, has_cluster: bool) -> None:
    """Destroy the stack's resources on its host without calling Kong or Route 53, and remove the stack.

    Kong and Route 53 are part of the platform, and the stack's resources in them go with it. So are the objects in
    the cluster of this machine, once that has ended.
    """
    state = read_state(workspace)
    resources = state["deployment"].get("resources") or []
    ended = (PLATFORM_TYPES,) if has_cluster else (PLATFORM_TYPES, CLUSTER_TYPES)
    kept = [resource for resource in resources if not any(types.match(resource["type"]) for types in ended)]
    host = docker_host(workspace)
    for provider in (resource for resource in kept if resource["type"] == "pulumi:providers:docker"):
        for properties in (provider["inputs"], provider["outputs"]):
            properties.pop("host", None)
            properties |= {"host": host} if host else {}
    state["deployment"] |= {"resources": kept, "pending_operations": []}
    import_state(workspace, state)
    if kept:
        _destroy(workspace)
    _remove_stack(workspace)


def read_state(workspace: Workspace) -> dict[str, Any]:
    """Return the state: the resources, and the operations that started and did not finish.

    It is read from the backend's file, in the form of `pulumi stack export`, without starting the CLI.
    """
    checkpoint = json.loads(_state_file(workspace).read_text())
    return {"version": checkpoint["version"], "deployment": checkpoint["checkpoint"].get("latest") or {}}


def import_state(workspace: Workspace, state: dict[str, Any]) -> None:
    """Replace the stack's state."""
    file = STATE / "repaired-state.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(state))
    _pulumi("stack", "import", "--stack", workspace.stack, "--file", str(file), log="stack-import")
    file.unlink()


def read_outputs(workspace: Workspace) -> dict[str, Any]:
    """Return the stack's outputs. Raises `LocalError` if no `make up` has been completed."""
    require_deployed(workspace)
    printed = _pulumi("stack", "output", "--json", "--stack", workspace.stack, log="outputs")
    outputs: dict[str, Any] = json.loads(printed)
    if "kong" not in outputs:
        raise LocalError(workspace.explain_missing_stack())
    return outputs


def _state_file(workspace: Workspace) -> Path:
    return STACKS / f"{workspace.stack}.json"


def _pulumi(*arguments: str, log: str) -> str:
    return run(["pulumi", "--non-interactive", *arguments], log=log)


def _run_in_foreground(command: list[str], title: str, log: str, *, again: str) -> None:
    code = run_in_foreground(command, title, log=log)
    if code < 0:
        raise LocalError(f"`pulumi` was killed by signal {-code}. Run `{again}` again; it continues from there.")
    if code:
        raise LocalError(f"`pulumi {command[1]}` failed; see the error above. Fix it and run `{again}` again.")


def _destroy(workspace: Workspace, *flags: str) -> None:
    command = ["pulumi", "destroy", "--yes", *flags, "--skip-preview", "--stack", workspace.stack]
    _run_in_foreground(command, "Destroying the stack", "pulumi-destroy", again="make down")


def _remove_stack(workspace: Workspace) -> None:
    _pulumi("stack", "rm", "--yes", "--preserve-config", workspace.stack, log="stack-rm")
