"""`pulumi` in a shell with ./activate: the CLI, given the backend and the passphrase of the stacks of `make up`.

Their state is not in git and everyone can read their passphrase, so no other stack may have either
(docs/decisions/0006-stacks-of-this-machine.md).
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.workspace import (
    BACKEND,
    PROJECT,
    ROOT,
    STACKS,
    Workspace,
    build_environment,
    bypass_proxies,
)

CREATING = {"create", "init", "migrate", "new", "rename", "setup"}
"""What would make a stack, after the word `stack`."""

DESTROYING = {"destroy", "dn", "down"}
"""The CLI's names for what removes all that a stack has."""

NAMING = {"delete", "remove", "rm", "select"}
"""What takes a stack's name as its next word, after the word `stack`."""

REFUSED = """\
stack {name} is not one that `make up` made. In this shell pulumi works on those alone, because their state is in
.local, which is not in git, and everyone can read their passphrase.
Another stack on this machine:
    cp Pulumi.dev.yaml Pulumi.{name}.yaml
    make up STACK={name} PROXY_PORT=18000 ADMIN_PORT=18001 DNS_PORT=18053
A stack of your own: say where its state is to be kept, then run this again:
    export PULUMI_BACKEND_URL=https://api.pulumi.com   # or s3://BUCKET, …"""

NO_SECRET = "everyone can read the passphrase of stack {name}: give it no real secret"  # noqa: S105 - a warning


class RefusedError(Exception):
    """The command would let a stack have what it may not."""


def options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The stack and the folder that a command names, and its words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-s", "--stack", nargs="?")
    parser.add_argument("-C", "--cwd", nargs="?")
    known, others = parser.parse_known_args(arguments)
    return known, [word for word in others if not word.startswith("-")]


def for_this_machine(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The CLI's arguments and environment for a command on a stack of this machine. Raises `RefusedError`."""
    given, words = options(arguments)
    verb, name = _verb(words)
    stacks = sorted(file.stem for file in STACKS.glob("*.json"))
    current = "" if verb == "select" else os.environ.get("PULUMI_STACK", "")
    stack = str(given.stack or name or current).rpartition("/")[2]
    if verb in CREATING or words[:1] == ["new"] or (stack and stack not in stacks):
        raise RefusedError(REFUSED.format(name=stack or "NAME"))
    if not stack and verb != "select":
        stack = _selected(stacks)
    if not stacks:
        print("pulumi: no stack was made here yet; `make up` makes one", file=sys.stderr)
    if not stack:
        return ["--non-interactive", *arguments], build_environment()  # else it would offer to make one
    if "config" in words and "--secret" in arguments:
        print(f"pulumi: {NO_SECRET.format(name=stack)}", file=sys.stderr)
    return list(arguments), build_environment() | {"PULUMI_STACK": stack}


def _verb(words: Sequence[str]) -> tuple[str, str]:
    """What is done with a stack as such, and its name as far as it follows."""
    for index, word in enumerate(words):
        verb, name, *_ = *words[index + 1 : index + 3], "", ""
        if word == "stack" and verb in CREATING | NAMING:
            return verb, name
    return "", ""


def _selected(stacks: Sequence[str]) -> str:
    """The stack that a command without a name means, as far as it is one of these."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    project = hashlib.sha1(str(ROOT / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
    try:
        settings = json.loads((home / "workspaces" / f"{PROJECT}-{project}-workspace.json").read_text())
    except (OSError, ValueError):
        settings = {}
    selected = str(settings.get("stacks", {}).get(BACKEND) or settings.get("stack", "")).rpartition("/")[2]
    if selected in stacks:
        return selected
    return stacks[0] if len(stacks) == 1 else ""


def _is_ours(folder: Path) -> bool:
    """Whether a command in this folder works on this project."""
    projects = (above for above in (folder, *folder.parents) if (above / "Pulumi.yaml").is_file())
    return next(projects, None) == ROOT


def warn_of_removal(cli: str, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Say which sessions a destroy takes along, before the CLI asks whether to go ahead."""
    given, words = options(arguments)
    if not DESTROYING & set(words):
        return
    from local.backup import removal_warning  # other commands start faster without

    stack = given.stack or variables.get("PULUMI_STACK") or _shown(cli, given.cwd, variables)
    if stack:
        workspace = Workspace(
            stack=stack.rpartition("/")[2], proxy_port=0, admin_port=0, dns_port=0
        )  # asks no port
        if warning := removal_warning(workspace):
            print(f"pulumi: {warning}", file=sys.stderr)


def _shown(cli: str, folder: str | None, variables: Mapping[str, str]) -> str:
    """The stack that the CLI has selected, in a backend of any kind."""
    command = [cli, "stack", "--show-name", "--non-interactive"]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    """Become the CLI."""
    cli = shutil.which("pulumi", path=build_environment()["PATH"])
    if cli is None:
        sys.exit("pulumi: no CLI is installed here: run `make setup`")
    # Pulumi's SDK would ask a proxy for its own engine, on stacks of anywhere.
    arguments, variables = sys.argv[1:], os.environ | bypass_proxies()
    folder = Path(options(arguments)[0].cwd or "").resolve()
    # Who names a backend works there, on stacks of their own.
    if _is_ours(folder):
        if not variables.get("PULUMI_BACKEND_URL"):
            try:
                arguments, variables = for_this_machine(arguments)
            except RefusedError as error:
                sys.exit(f"pulumi: {error}")
        warn_of_removal(cli, arguments, variables)
    os.execve(cli, ["pulumi", *arguments], variables)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
