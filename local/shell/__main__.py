"""`pulumi` in a shell with ./activate: the CLI, with the backend and the passphrase of the stacks of `make up`.

Their state is not in git and their passphrase is public, so other stacks must use neither
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

from local.environment import build_environment, bypass_proxies
from local.workspace import BACKEND, PROJECT, ROOT, STACKS, Workspace

CREATE_VERBS = {"create", "init", "migrate", "new", "rename", "setup"}
"""Words after `stack` that create a stack."""

DESTROY_VERBS = {"destroy", "dn", "down"}
"""The CLI's names for destroying a stack's resources."""

NAMING_VERBS = {"delete", "remove", "rm", "select"}
"""Words after `stack` that a stack's name follows."""

REFUSED = """\
stack {name} was not created by `make up`. In this shell pulumi works only on stacks that were, because their state
is in .local, which is not in git, and their passphrase is public.
To create another stack on this machine, beside dev:
    make up STACK={name}
To work on a stack of your own, name the backend for its state, then try again:
    export PULUMI_BACKEND_URL=https://api.pulumi.com   # or s3://BUCKET, …"""

PUBLIC_PASSPHRASE = "the passphrase of stack {name} is public: store no real secret in it"  # noqa: S105 - a warning


class RefusedError(Exception):
    """The command would use the local backend for a stack that must not be there."""


def parse_options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return a command's options for the stack and the folder, and its words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-s", "--stack", nargs="?")
    parser.add_argument("-C", "--cwd", nargs="?")
    known, others = parser.parse_known_args(arguments)
    return known, [word for word in others if not word.startswith("-")]


def prepare_command(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the CLI's arguments and environment for a stack of this machine. Raises `RefusedError`."""
    options, words = parse_options(arguments)
    verb, name = _parse_stack_verb(words)
    stacks = sorted(file.stem for file in STACKS.glob("*.json"))
    current = "" if verb == "select" else os.environ.get("PULUMI_STACK", "")
    stack = str(options.stack or name or current).rpartition("/")[2]
    if verb in CREATE_VERBS or words[:1] == ["new"] or (stack and stack not in stacks):
        raise RefusedError(REFUSED.format(name=stack or "NAME"))
    if not stack and verb != "select":
        stack = _find_selected_stack(stacks)
    if not stacks:
        print("pulumi: there is no stack yet; `make up` creates one", file=sys.stderr)
    if not stack:
        return ["--non-interactive", *arguments], build_environment()  # else it would offer to create a stack
    if "config" in words and "--secret" in arguments:
        print(f"pulumi: {PUBLIC_PASSPHRASE.format(name=stack)}", file=sys.stderr)
    return list(arguments), build_environment() | {"PULUMI_STACK": stack}


def _parse_stack_verb(words: Sequence[str]) -> tuple[str, str]:
    """Return the verb of a `pulumi stack` command, and the stack's name if it follows."""
    for index, word in enumerate(words):
        verb, name, *_ = *words[index + 1 : index + 3], "", ""
        if word == "stack" and verb in CREATE_VERBS | NAMING_VERBS:
            return verb, name
    return "", ""


def _find_selected_stack(stacks: Sequence[str]) -> str:
    """Return the stack that a command without a name works on, if it is one of these."""
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


def _is_in_project(folder: Path) -> bool:
    """Return whether a command in this folder works on this project."""
    projects = (above for above in (folder, *folder.parents) if (above / "Pulumi.yaml").is_file())
    return next(projects, None) == ROOT


def warn_of_removal(cli: str, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Print which sessions a destroy would remove, before the CLI asks for confirmation."""
    options, words = parse_options(arguments)
    if not DESTROY_VERBS & set(words):
        return
    from local.backup import removal_warning  # not at the top, so that other commands start faster

    stack = options.stack or variables.get("PULUMI_STACK") or _ask_selected_stack(cli, options.cwd, variables)
    if stack and (warning := removal_warning(Workspace(stack=stack.rpartition("/")[2]))):
        print(f"pulumi: {warning}", file=sys.stderr)


def _ask_selected_stack(cli: str, folder: str | None, variables: Mapping[str, str]) -> str:
    """Return the stack that the CLI has selected, in any backend."""
    command = [cli, "stack", "--show-name", "--non-interactive"]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    """Replace this process by the CLI."""
    cli = shutil.which("pulumi", path=build_environment()["PATH"])
    if cli is None:
        sys.exit("pulumi: the CLI is not installed. Run `make setup`.")
    # Pulumi's SDK would use a proxy to reach its own engine, whatever the stack.
    arguments, variables = sys.argv[1:], os.environ | bypass_proxies()
    folder = Path(parse_options(arguments)[0].cwd or "").resolve()
    if _is_in_project(folder):
        if not variables.get("PULUMI_BACKEND_URL"):  # a backend that the user names is used as it is
            try:
                arguments, variables = prepare_command(arguments)
            except RefusedError as error:
                sys.exit(f"pulumi: {error}")
        warn_of_removal(cli, arguments, variables)
    os.execve(cli, ["pulumi", *arguments], variables)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
