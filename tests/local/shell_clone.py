"""A clone whose shell with ./activate can be tried with a recording CLI."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from local.workspace import ROOT

CLI = """#!/bin/sh
printf '%s|' "$@" > "$SEEN"
printf '\\n%s|%s|%s|' "$PULUMI_BACKEND_URL" "$PULUMI_CONFIG_PASSPHRASE" "$PULUMI_STACK" >> "$SEEN"
printf '%s|%s' "$DOCKER_HOST" "$NO_PROXY" >> "$SEEN"
"""
DOCKER = """#!/bin/sh
case "$*" in
"context inspect --format {{.Endpoints.docker.Host}}") echo "$CONTEXT_HOST" ;;
"volume ls "*"stack=$SERVED") echo data ;;
"ps "*"status=running") echo replica ;;
"exec replica "*) [ "$DOCKER_HOST" = "$ENGINE" ] && echo 3 ;;
esac
"""


class ShellClone:
    """A clone with a CLI that only records its arguments, and a `docker` that has a context."""

    def __init__(self, path: Path) -> None:
        self.path = path / "clone"
        for name in ("infra", "local"):
            shutil.copytree(ROOT / name, self.path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("activate", "Pulumi.yaml"):
            shutil.copy(ROOT / name, self.path)
        (self.path / ".venv").symlink_to(ROOT / ".venv")
        self.seen = path / "seen"
        self.home = path / "home"
        for name, script in (("pulumi", CLI), ("docker", DOCKER)):
            command = self.path / ".local" / "bin" / name
            command.parent.mkdir(parents=True, exist_ok=True)
            command.write_text(script)
            command.chmod(0o755)

    @property
    def backend(self) -> str:
        return f"file://{self.path}/.local/state"

    def create_stacks(self, *stacks: str) -> None:
        """Create these stacks in the backend, as `make up` does."""
        folder = self.path / ".local" / "state" / ".pulumi" / "stacks" / "session-context"
        folder.mkdir(parents=True)
        for stack in stacks:
            (folder / f"{stack}.json").touch()
            (folder / f"{stack}.json.bak").touch()

    def select(self, stack: str) -> None:
        """Select a stack, as the CLI does."""
        project = subprocess.run(
            ["sha1sum"], input=f"{self.path}/Pulumi.yaml", capture_output=True, text=True, check=True
        ).stdout.split()[0]
        file = self.home / "workspaces" / f"session-context-{project}-workspace.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"stacks": {self.backend: f"organization/session-context/{stack}"}}))

    def configure(self, stack: str, **config: str) -> None:
        """Write the stack's config file."""
        values = {f"session-context:{key}": value for key, value in config.items()}
        (self.path / f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": values}))

    def run(self, line: str, *, shell: str = "bash", **variables: str) -> "Outcome":
        """Run a line in a new shell after `. ./activate`."""
        self.seen.unlink(missing_ok=True)
        done = subprocess.run(
            [shell, "-c", f". ./activate && {line}"],
            cwd=self.path,
            env={
                "PATH": os.environ["PATH"],
                "SEEN": str(self.seen),
                "PULUMI_HOME": str(self.home),
                "CONTEXT_HOST": "unix:///var/run/docker.sock",
                "SERVED": "",
                "ENGINE": "",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stderr, self.seen)


class Outcome:
    """The exit code and error output of a line, and how it called the CLI."""

    def __init__(self, code: int, errors: str, seen: Path) -> None:
        self.code, self.errors = code, errors
        called, _, got = seen.read_text().partition("\n") if seen.exists() else ("", "", "||||")
        self.arguments = called.split("|")[:-1]
        self.backend, self.passphrase, self.stack, self.docker_host, self.no_proxy = got.split("|")
