"""Where things are on this machine, and what can be set from outside: ports, and which stack."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = "session-context"
ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
STATE = ROOT / ".local"  # all that belongs to this clone and not to git
BIN = STATE / "bin"
LOGS = STATE / "log"
SHELL = ROOT / "local" / "shell"  # what ./activate puts first on PATH
BACKEND = f"file://{STATE / 'state'}"
STACKS = STATE / "state" / ".pulumi" / "stacks" / PROJECT  # a file for each stack that the backend has
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "session-context"
DEFAULT_HOST = "unix:///var/run/docker.sock"
FOREIGN_PREFIXES = (
    "AWS_",
    "PULUMI_CONFIG",
    "PULUMI_DIY_BACKEND_",
    "PULUMI_OPTION_",
    "PULUMI_SELF_MANAGED_STATE_",
    "PULUMI_STACK",
)
"""How variables begin that a user may have for other work; the stacks of this machine say all of it themselves."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class LocalError(Exception):
    """A step can't go on; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The stack to work on, and the loopback ports its platform takes."""

    stack: str
    proxy_port: int
    admin_port: int
    dns_port: int

    @property
    def platform(self) -> str:
        """The name of the platform's Docker network, and the first part of its containers' names."""
        return f"session-context-{self.stack}"


def from_environment() -> Workspace:
    """Read STACK, PROXY_PORT, ADMIN_PORT and DNS_PORT. Raises `LocalError` naming every wrong one.

    Ports that are not given are those of the last `make up`, so that they need to be named but once.
    """
    stack = os.environ.get("STACK") or "dev"
    ports = {"PROXY_PORT": 8000, "ADMIN_PORT": 8001, "DNS_PORT": 8053} | _remembered(stack)
    wrong = []
    for name in ports:
        given = os.environ.get(name) or str(ports[name])
        if re.fullmatch("[0-9]{1,5}", given) and 0 < int(given) < 65536:
            ports[name] = int(given)
        else:
            wrong.append(f"{name} must be a port from 1 to 65535, not {given!r}")
    if len(set(ports.values())) < len(ports):
        wrong.append("PROXY_PORT, ADMIN_PORT and DNS_PORT must differ")
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]*", stack):
        wrong.append(f"STACK must be letters, digits and '-', not {stack!r}")
    if wrong:
        raise LocalError("; ".join(wrong))
    return Workspace(
        stack=stack,
        proxy_port=ports["PROXY_PORT"],
        admin_port=ports["ADMIN_PORT"],
        dns_port=ports["DNS_PORT"],
    )


def remember(workspace: Workspace) -> None:
    """Keep the ports for the next command."""
    ports = {
        "PROXY_PORT": workspace.proxy_port,
        "ADMIN_PORT": workspace.admin_port,
        "DNS_PORT": workspace.dns_port,
    }
    _ports_file(workspace.stack).write_text(json.dumps(ports))


def forget(workspace: Workspace) -> None:
    """Go back to the usual ports."""
    _ports_file(workspace.stack).unlink(missing_ok=True)


def _remembered(stack: str) -> dict[str, int]:
    try:
        ports: dict[str, int] = json.loads(_ports_file(stack).read_text())
    except (OSError, ValueError):
        return {}
    return ports


def _ports_file(stack: str) -> Path:
    return STATE / f"ports-{stack}.json"


def is_foreign(variable: str) -> bool:
    """Whether a variable of the environment would lead AWS's or Pulumi's tools away from this machine."""
    return variable.startswith(FOREIGN_PREFIXES)


def bypass_proxies() -> dict[str, str]:
    """NO_PROXY with the loopback in it: a proxy for the outside can't reach what runs on this machine.

    In both spellings, since each program prefers one of them.
    """
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in given.replace(" ", "").split(",") if host]
    value = given if given == "*" else ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
    return {"NO_PROXY": value, "no_proxy": value}


def build_environment() -> dict[str, str]:
    """The environment in which pulumi, and what is run from here, works on the stacks of this machine.

    Docker's context is a DOCKER_HOST in it, which is all that Pulumi's plugin and the SDK understand. Python may
    keep compiled code: without it, each start of a plugin takes a second longer.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DOCKER_CONTEXT", "PYTHONDONTWRITEBYTECODE") and not is_foreign(name)
    }
    host = os.environ.get("DOCKER_HOST") or context_host()
    path = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != SHELL]
    return (
        inherited
        | bypass_proxies()
        | ({"DOCKER_HOST": host} if host else {})
        | {
            "PATH": os.pathsep.join([str(BIN), str(VENV / "bin"), *path]),
            "PULUMI_BACKEND_URL": BACKEND,
            # Everyone can read this passphrase, so no stack of another backend may have it.
            "PULUMI_CONFIG_PASSPHRASE": "dev",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
    )


@cache
def context_host() -> str | None:
    """Where Docker's current context leads, such as to Colima's engine; None for the usual place."""
    if shutil.which("docker") is None:
        return None
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode or done.stdout.strip() in ("", DEFAULT_HOST) else done.stdout.strip()
