"""The environment variables of the tools that are run from here."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from local.cluster.layout import KUBECONFIG
from local.workspace import BACKEND, BIN, LOOPBACK, SHELL, VENV

DEFAULT_HOST = "unix:///var/run/docker.sock"
FOREIGN_PREFIXES = (
    "AWS_",
    "PULUMI_CONFIG",
    "PULUMI_DIY_BACKEND_",
    "PULUMI_OPTION_",
    "PULUMI_SELF_MANAGED_STATE_",
    "PULUMI_STACK",
)
"""Variables of these prefixes serve the user's other work, and would lead the tools away from this machine."""


def remove_foreign_variables() -> None:
    """Remove from this process what would lead AWS's or Pulumi's tools away from this machine."""
    for name in [name for name in os.environ if name.startswith(FOREIGN_PREFIXES)]:
        del os.environ[name]


def bypass_proxies() -> dict[str, str]:
    """Return NO_PROXY extended by the loopback, in both spellings: tools differ in which they prefer.

    A company's proxy can't reach what runs on this machine.
    """
    current = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in current.replace(" ", "").split(",") if host]
    value = current if current == "*" else ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
    return {"NO_PROXY": value, "no_proxy": value}


def build_environment() -> dict[str, str]:
    """Return the environment in which pulumi and other tools work on the stacks of this machine.

    DOCKER_HOST replaces Docker's context, which neither Pulumi's plugin nor Docker's SDK knows. Python may write
    compiled code: without it, each start of a plugin takes a second longer.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DOCKER_CONTEXT", "PYTHONDONTWRITEBYTECODE") and not name.startswith(FOREIGN_PREFIXES)
    }
    host = os.environ.get("DOCKER_HOST") or context_host()
    path = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != SHELL]
    return (
        inherited
        | bypass_proxies()
        | ({"DOCKER_HOST": host} if host else {})
        | _kubeconfigs()
        | {
            "PATH": os.pathsep.join([str(BIN), str(VENV / "bin"), *path]),
            "PULUMI_BACKEND_URL": BACKEND,
            # The passphrase is public, so stacks of other backends must not use it.
            "PULUMI_CONFIG_PASSPHRASE": "dev",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
    )


def _kubeconfigs() -> dict[str, str]:
    """Return KUBECONFIG extended by that of `make cluster`, so that its context is one of the user's."""
    given = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return {"KUBECONFIG": f"{given}{os.pathsep}{KUBECONFIG}"} if KUBECONFIG.is_file() else {}


@cache
def context_host() -> str | None:
    """Return the host of Docker's current context, such as Colima's; None for the default socket."""
    if shutil.which("docker") is None:
        return None
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode or done.stdout.strip() in ("", DEFAULT_HOST) else done.stdout.strip()
