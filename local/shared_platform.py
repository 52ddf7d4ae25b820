"""Stacks that share the platform of another one, such as one for each pull request beside dev."""

from dataclasses import replace

from infra import beside
from local import pulumi_stack, stack_config
from local.console import say
from local.workspace import PROJECT, ROOT, LocalError, Workspace


def create_config(workspace: Workspace) -> None:
    """Write the file of a stack that has none, from that of the stack whose platform it shares."""
    if workspace.config_file.is_file() or not workspace.on:
        return
    owner = replace(workspace, stack=workspace.on, on="")
    stack_config.read_config(owner)
    hostname = beside.write(owner.config_file, workspace.config_file)
    say(f"Created {workspace.config_file.name} from {owner.config_file.name}, for host {hostname}")


def require_unshared(workspace: Workspace) -> None:
    """Raise `LocalError` if other stacks are deployed on this stack's platform."""
    stacks = [file.name.split(".")[1] for file in sorted(ROOT.glob("Pulumi.*.yaml"))]
    others = [Workspace(stack=stack) for stack in stacks if stack != workspace.stack]
    guests = [
        other.stack
        for other in others
        if pulumi_stack.exists(other)
        and stack_config.read_config(other).get(f"{PROJECT}:network") == workspace.platform
    ]
    if guests and not workspace.on:
        commands = " and ".join(f"`make down STACK={guest}`" for guest in guests)
        raise LocalError(
            f"the platform of stack {workspace.stack} is used by {', '.join(guests)} too. Run {commands} first."
        )
