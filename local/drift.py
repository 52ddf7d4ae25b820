"""`make drift`: what differs between the stack's state and Docker, Kong and Route 53. It changes nothing."""

from collections.abc import Iterator
from typing import Any

from infra.report.escape import format_pair, visible
from infra.report.preview import ABSENT, Change, NoPreviewError, parse
from local import docker_engine, pulumi_stack, recovery, stack_config
from local.console import capture, paint, say, step
from local.lost_images import find_lost_images
from local.workspace import LocalError, Workspace

DIFFERS = 2
"""The exit code if anything differs."""


def drift(workspace: Workspace) -> int:
    """Print what differs; return 0 if nothing does. Raises `LocalError` if it can't be compared."""
    pulumi_stack.require_deployed(workspace)
    if not (stack_config.docker_host(workspace) or stack_config.on_kubernetes(workspace)):
        docker_engine.require(workspace.command("up"))
    with step(f"Comparing the state of stack {workspace.stack} with Docker, Kong and Route 53"):
        found = [*_refresh(workspace), *_find_what_plugins_miss(workspace)]
    if not found:
        say(paint("Nothing differs", "green"))
        return 0
    say(paint(f"{len(found)} resource{'s differ' if len(found) > 1 else ' differs'} from the state:", "red"))
    for line in found:
        print(f"  {line}")
    print(f"To revert this: {workspace.command('up')}")
    return DIFFERS


def _refresh(workspace: Workspace) -> Iterator[str]:
    # The CLI refuses --preview-only where this variable skips its confirmations.
    pulumi = ["env", "-u", "PULUMI_SKIP_CONFIRMATIONS", "pulumi", "--non-interactive"]
    command = [*pulumi, "refresh", "--preview-only", "--json", "--run-program"]
    done = capture([*command, "--stack", workspace.stack])
    try:
        preview = parse(done.stdout)
    except NoPreviewError:
        raise LocalError(f"`pulumi refresh` failed: {done.stderr.strip()}") from None
    if done.returncode or preview.errors:
        reasons = "\n".join(preview.errors) or done.stderr.strip()
        raise LocalError(
            f"`pulumi refresh` failed: {reasons}\n"
            f"If the platform is stopped, `{workspace.command('up')}` starts it."
        )
    for change in preview.changes:
        if change.kind == "Provider":  # settings of this program, which nothing outside it can change
            continue
        if change.action == "delete":
            yield f"{change.kind} {change.name}: does not exist"
        elif change.action == "create":  # of a first `make up` that failed
            yield f"{change.kind} {change.name}: is not deployed yet"
        elif change.action != "same":
            yield f"{change.kind} {change.name}: {'; '.join(_describe(change))}"


def _describe(change: Change) -> Iterator[str]:
    for each in change.properties:
        recorded, actual = format_pair(*(None if value is ABSENT else value for value in (each.old, each.new)))
        yield f"{visible(each.path)} is {actual}, and {recorded} in the state"


def _find_what_plugins_miss(workspace: Workspace) -> Iterator[str]:
    """Yield what only `make up` looks for, on this machine's engine."""
    client = docker_engine.find()
    if client is None or stack_config.docker_host(workspace):
        return
    resources: list[dict[str, Any]] = pulumi_stack.read_state(workspace)["deployment"].get("resources") or []
    for image in find_lost_images(client, workspace, resources):
        yield f"Image {image.name}: does not exist {image.where}"
    by_id = {resource["id"]: resource for resource in resources if "id" in resource}
    ours: dict[str, str | list[str] | bool] = {"label": stack_config.labels(workspace)}
    for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
        resource = by_id.get(str(container.id))
        if resource is None:
            yield f"Container {container.name}: is not in the state"
        elif recovery.is_unreachable(container, resource):
            yield f"Container {container.name}: is paused or disconnected from its network"
