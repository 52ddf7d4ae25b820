"""`python -m infra.beside STACK NEW`: writes the config of a new stack on the Kong, engine and zone of another.

A pull request's stack has its config made of a deployed one's, in CI in each of its runs.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from infra.paths import ROOT

PROJECT_FILE = ROOT / "Pulumi.yaml"
NAMES = ("serviceName", "routeName", "upstreamName")
OF_ONE_STACK = (
    "adoptRecord",
    "consumerRequestsPerMinute",
    "consumers",
    "dataVolume",
    "keepData",
    "protect",
    "publish",
    "tlsCertificate",
    "tlsKey",
)
"""Keys of what two stacks can't have in common, and of what protects a stack that lasts."""


def derive(content: dict[str, Any], stack: str) -> dict[str, Any]:
    """Return the content of a stack's file, with the hostname and the names in Kong of another stack.

    Its consumers may call the new stack too, with the keys that they have. Secrets stay encrypted as they are, so
    the new stack needs the same passphrase or key service.
    """
    project = yaml.safe_load(PROJECT_FILE.read_text())
    prefix = f"{project['name']}:"
    config = content.get("config") or {}
    hostname = config.get(f"{prefix}hostname") or project["config"]["hostname"]["default"]
    own: dict[str, Any] = {"hostname": f"{stack.lower()}.{hostname}"} | dict.fromkeys(NAMES, stack)
    if consumers := config.get(f"{prefix}consumers"):
        known = config.get(f"{prefix}platformConsumers") or []
        own["platformConsumers"] = [*known, *(f"{project['name']}-{name}" for name in consumers)]
    kept = {key: value for key, value in config.items() if key.removeprefix(prefix) not in OF_ONE_STACK}
    return content | {"config": kept | {f"{prefix}{key}": value for key, value in own.items()}}


def write(source: Path, goal: Path) -> str:
    """Write the file of the stack beside that of another one; return its hostname."""
    stack = goal.name.removeprefix("Pulumi.").removesuffix(".yaml")
    content = derive(yaml.safe_load(source.read_text()), stack)
    head = f"# Made of {source.name} by `python -m infra.beside`.\n"
    goal.write_text(head + yaml.safe_dump(content, sort_keys=False))
    (hostname,) = (value for key, value in content["config"].items() if key.endswith(":hostname"))
    return str(hostname)


def main(source: str, stack: str) -> None:
    """Write the file, and print what it is."""
    goal = ROOT / f"Pulumi.{stack}.yaml"
    print(f"{goal.name}: {write(ROOT / f'Pulumi.{source}.yaml', goal)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m infra.beside STACK NEW")
    main(*sys.argv[1:])
