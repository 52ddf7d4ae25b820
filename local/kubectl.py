"""kubectl on the cluster that runs a stack's pods, whichever that is."""

import subprocess

from local import stack_config
from local.environment import build_environment
from local.workspace import PROJECT, LocalError, Workspace


def kubectl(workspace: Workspace, *arguments: str) -> str:
    """Run kubectl in the stack's namespace and return its output. Raises `LocalError`."""
    try:
        done = subprocess.run(
            command(workspace, *arguments), env=build_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalError("the kubectl command is missing. Install it, or run `make cluster`.") from error
    if done.returncode:
        raise LocalError(f"`kubectl {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout


def command(workspace: Workspace, *arguments: str) -> list[str]:
    """Return the command line that works in the stack's namespace. Raises `LocalError` for a secret kubeconfig."""
    config = stack_config.read_config(workspace)
    if f"{PROJECT}:kubeconfig" in config:
        raise LocalError(
            f"{workspace.config_file.name} has a kubeconfig as a secret, which is written to no file. Use kubectl "
            "with a kubeconfig of your own."
        )
    options = {"--context": config.get(f"{PROJECT}:kubeContext"), "--namespace": config[f"{PROJECT}:namespace"]}
    return ["kubectl", *(f"{name}={value}" for name, value in options.items() if value), *arguments]


def selector(workspace: Workspace) -> str:
    """Return the option that selects the stack's objects."""
    return f"--selector=app.kubernetes.io/name={PROJECT},app.kubernetes.io/instance={workspace.stack}"
