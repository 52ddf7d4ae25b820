"""Where things are in this clone, and which stack and ports a command works on."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

PROJECT = "session-context"
ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
STATE = ROOT / ".local"  # what belongs to this clone but not in git
BIN = STATE / "bin"
LOGS = STATE / "log"
SHELL = ROOT / "local" / "shell"  # what ./activate puts first on PATH
BACKEND = f"file://{STATE / 'state'}"
STACKS = STATE / "state" / ".pulumi" / "stacks" / PROJECT  # one file for each stack in the backend
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "session-context"
PORTS = {"PROXY_PORT": 8000, "TLS_PORT": 8443, "ADMIN_PORT": 8001, "DNS_PORT": 8053}
DEFAULT_STACK = "dev"
NETWORK = re.compile(rf"^ *{PROJECT}:network: *['\"]?{PROJECT}-([A-Za-z0-9-]+)['\"]? *$", re.MULTILINE)
"""The line of a stack's file with the network of a platform, which has the name of the platform's stack."""

OTHER_PORTS = "PROXY_PORT=18000 TLS_PORT=18443 ADMIN_PORT=18001 DNS_PORT=18053"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class LocalError(Exception):
    """A step failed; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A stack, and the loopback ports of its platform."""

    stack: str
    proxy_port: int = 8000
    admin_port: int = 8001
    dns_port: int = 8053
    tls_port: int = 8443
    on: str = ""
    """The stack whose platform this one shares; empty for a platform of its own."""

    @property
    def config_file(self) -> Path:
        """The stack's config file."""
        return ROOT / f"Pulumi.{self.stack}.yaml"

    @property
    def owner(self) -> str:
        """The stack that the platform was started for."""
        return self.on or self.stack

    @property
    def platform(self) -> str:
        """The name of the platform's Docker network, and the prefix of its containers' names."""
        return f"session-context-{self.owner}"

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_port}"

    @property
    def tls_url(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def route53_url(self) -> str:
        return f"http://127.0.0.1:{self.dns_port}"

    def command(self, verb: str) -> str:
        """Return the `make` command that runs a verb on this stack, for the user to copy."""
        return f"make {verb}" if self.stack == DEFAULT_STACK else f"make {verb} STACK={self.stack}"

    def explain_missing_stack(self) -> str:
        """Return that this clone has not deployed the stack, and what to do."""
        return (
            f"stack {self.stack} is not deployed from this clone. Run `{self.command('up')}` first. For a stack "
            "whose state is in a backend of your own, use pulumi itself, such as `pulumi preview --refresh`."
        )

    def save_ports(self) -> None:
        """Keep the platform's ports for later commands."""
        ports = {name.upper(): port for name, port in asdict(self).items() if name.upper() in PORTS}
        _ports_file(self.owner).write_text(json.dumps(ports))

    def forget_ports(self) -> None:
        """Return to the default ports."""
        _ports_file(self.owner).unlink(missing_ok=True)


def read_workspace() -> Workspace:
    """Read STACK, BESIDE and the ports. Raises `LocalError` naming every wrong one.

    A port that is not set is that of the last `make up`, so each needs to be set only once.
    """
    stack = os.environ.get("STACK") or DEFAULT_STACK
    owner = _find_owner(stack)
    ports = PORTS | _saved_ports(owner)
    errors = []
    for name in ports:
        value = os.environ.get(name) or str(ports[name])
        if re.fullmatch("[0-9]{1,5}", value) and 0 < int(value) < 65536:
            ports[name] = int(value)
        else:
            errors.append(f"{name} must be a port from 1 to 65535, not {value!r}")
    if len(set(ports.values())) < len(ports):
        errors.append(f"{', '.join(PORTS)} must differ")
    for value, name in {owner: "BESIDE", stack: "STACK"}.items():
        if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]*", value):
            errors.append(f"{name} must consist of letters, digits and '-', not {value!r}")
    if owner != stack and _given_ports():
        errors.append(
            f"{', '.join(_given_ports())} can't be set for a stack beside {owner}, whose ports it shares"
        )
    if errors:
        raise LocalError("; ".join(errors))
    on = "" if owner == stack else owner
    return Workspace(stack=stack, on=on, **{name.lower(): port for name, port in ports.items()})


def _find_owner(stack: str) -> str:
    """Return the stack whose platform a stack uses.

    It is BESIDE, or the one whose network the stack's file names. A stack that has neither a file nor ports shares
    that of dev.
    """
    if owner := os.environ.get("BESIDE"):
        return owner
    if stack == DEFAULT_STACK or _given_ports() or _ports_file(stack).is_file():
        return stack
    file = ROOT / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        return DEFAULT_STACK
    found = NETWORK.search(file.read_text(errors="replace"))
    return found[1] if found and _ports_file(found[1]).is_file() else stack


def _given_ports() -> list[str]:
    return [name for name in PORTS if os.environ.get(name)]


def _saved_ports(stack: str) -> dict[str, int]:
    try:
        ports: dict[str, int] = json.loads(_ports_file(stack).read_text())
    except (OSError, ValueError):
        return {}
    return ports


def _ports_file(stack: str) -> Path:
    return STATE / f"ports-{stack}.json"
