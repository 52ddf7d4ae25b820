"""A cluster that exists already, which a stack's file names by its context."""

from collections.abc import Callable

from local import kubectl, stack_config
from local.console import say
from local.workspace import PROJECT, LocalError, Workspace


def is_named(workspace: Workspace) -> bool:
    """Return whether the stack is for a cluster other than that of this machine."""
    is_there = workspace.config_file.is_file()
    return is_there and stack_config.on_kubernetes(workspace) and not stack_config.uses_local_cluster(workspace)


def prepare(workspace: Workspace) -> None:
    """Create the stack's namespace, unless it exists. Raises `LocalError` if the cluster is not ready."""
    config = stack_config.read_config(workspace)
    context = config.get(f"{PROJECT}:kubeContext") or "the current context"

    def call(*arguments: str) -> str:
        return kubectl.kubectl(workspace, *arguments)

    output = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    ready = call("get", "nodes", "--output", output).split().count("True")
    if not ready:
        raise LocalError(f"the cluster of {context} has no node that is ready")
    create_namespace(config[f"{PROJECT}:namespace"], call)
    say(
        f"The cluster of {context} is used, with {ready} ready nodes, and nothing is started. To deploy to it: "
        f"make up STACK={workspace.stack}"
    )


def create_namespace(name: str, call: Callable[..., str]) -> None:
    """Create a namespace that enforces Pod Security's level `restricted`; leave one that exists as it is."""
    if not call("get", "namespace", name, "--ignore-not-found"):
        call("create", "namespace", name)
        call("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
