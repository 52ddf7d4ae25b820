"""`pulumi` after `. ./activate`: which stacks get the public passphrase and the state that is not in git."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.workspace import ROOT, build_environment
from tests.packages import program

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


class Folder:
    """A clone with a CLI that only writes down how it was called, and a `docker` that has a context."""

    def __init__(self, path: Path) -> None:
        self.path = path / "clone"
        shutil.copytree(ROOT / "local", self.path / "local", ignore=shutil.ignore_patterns("__pycache__"))
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

    def has(self, *stacks: str) -> None:
        """Let the backend have these stacks, as after `make up`."""
        folder = self.path / ".local" / "state" / ".pulumi" / "stacks" / "session-context"
        folder.mkdir(parents=True)
        for stack in stacks:
            (folder / f"{stack}.json").touch()
            (folder / f"{stack}.json.bak").touch()

    def selects(self, stack: str) -> None:
        """Let the CLI have a stack selected, as it keeps it itself."""
        project = subprocess.run(
            ["sha1sum"], input=f"{self.path}/Pulumi.yaml", capture_output=True, text=True, check=True
        ).stdout.split()[0]
        file = self.home / "workspaces" / f"session-context-{project}-workspace.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"stacks": {self.backend: f"organization/session-context/{stack}"}}))

    def configures(self, stack: str, **config: str) -> None:
        """Have the stack's file."""
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
    """What a line in the shell led to."""

    def __init__(self, code: int, said: str, seen: Path) -> None:
        self.code, self.said = code, said
        called, _, got = seen.read_text().partition("\n") if seen.exists() else ("", "", "||||")
        self.arguments = called.split("|")[:-1]
        self.backend, self.passphrase, self.stack, self.docker_host, self.no_proxy = got.split("|")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A clone in which nothing was made yet."""
    return Folder(tmp_path.resolve())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_stack_of_make_up_has_its_backend_and_passphrase(folder: Folder, shell: str) -> None:
    folder.has("dev")
    outcome = folder.run("pulumi up --yes", shell=program(shell))
    assert (outcome.code, outcome.said) == (0, "")
    assert outcome.arguments == ["up", "--yes"]
    assert (outcome.backend, outcome.passphrase, outcome.stack) == (folder.backend, "dev", "dev")


@pytest.mark.parametrize(
    "command",
    [
        "stack init mine", "stack init", "stack new mine", "stack create mine", "--color never stack init mine",
        "stack init -s mine", "stack rename mine", "stack migrate s3://bucket dev", "new python",
        "stack select mine --create", "stack select -c -s mine", "up --stack mine", "up -smine",
        "preview --stack=mine", "config set --secret kongAdminToken token -s organization/session-context/mine",
    ],
)  # fmt: skip
def test_no_other_stack_gets_either(folder: Folder, command: str) -> None:
    folder.has("dev")
    outcome = folder.run(f"pulumi {command}")
    assert outcome.code == 1
    assert outcome.arguments == []
    assert "is not one that `make up` made" in outcome.said
    assert "export PULUMI_BACKEND_URL=" in outcome.said


def test_a_stack_that_the_environment_names_gets_neither(folder: Folder) -> None:
    folder.has("dev")
    assert "stack mine is not one" in folder.run("pulumi up", PULUMI_STACK="mine").said
    assert folder.run("pulumi up", PULUMI_OPTION_STACK="mine").stack == "dev"


def test_with_a_backend_of_ones_own_the_command_is_left_as_it_is(folder: Folder) -> None:
    folder.has("dev")
    outcome = folder.run("export PULUMI_BACKEND_URL=s3://states && pulumi stack init mine")
    assert outcome.arguments == ["stack", "init", "mine"]
    assert (outcome.backend, outcome.passphrase, outcome.stack) == ("s3://states", "", "")


@pytest.mark.parametrize("backend", ["", "s3://states"])
def test_no_proxy_is_asked_for_what_runs_on_this_machine(folder: Folder, backend: str) -> None:
    folder.has("dev")
    assert folder.run(f"PULUMI_BACKEND_URL={backend} pulumi up").no_proxy == "localhost,127.0.0.1,::1"


def test_a_backend_from_before_is_not_taken_for_the_stack_of_make_up(folder: Folder) -> None:
    folder.has("dev")
    given = {
        "PULUMI_BACKEND_URL": "s3://states",
        "PULUMI_CONFIG_PASSPHRASE": "real",
        "PULUMI_DIY_BACKEND_GZIP": "1",
    }
    outcome = folder.run("pulumi up", **given)
    assert (outcome.backend, outcome.passphrase) == (folder.backend, "dev")


@pytest.mark.parametrize("command", ["stack init mine", "new python"])
@pytest.mark.parametrize("place", ["cd {} && pulumi", "pulumi -C {}", "pulumi --cwd={}"])
def test_another_project_is_left_alone(folder: Folder, tmp_path: Path, place: str, command: str) -> None:
    folder.has("dev")
    other = tmp_path / "other"
    other.mkdir()
    if command != "new python":
        (other / "Pulumi.yaml").write_text("name: other\n")
    outcome = folder.run(f"{place.format(other)} {command}")
    assert outcome.arguments[-len(command.split()) :] == command.split()
    assert (outcome.backend, outcome.passphrase) == ("", "")


def test_this_project_is_known_from_elsewhere(folder: Folder) -> None:
    folder.has("dev")
    assert folder.run(f"cd / && pulumi -C {folder.path} up").stack == "dev"
    assert folder.run("cd local/shell && pulumi up").stack == "dev"


def test_of_several_stacks_it_is_the_selected_one(folder: Folder) -> None:
    folder.has("dev", "two")
    folder.selects("two")
    assert folder.run("pulumi config set ttl 60").stack == "two"
    assert folder.run("pulumi config set ttl 60 --stack dev").stack == "dev"
    assert folder.run("pulumi stack select dev").stack == "dev"


@pytest.mark.parametrize("command", ["up", "stack select", "version"])
def test_nobody_is_offered_a_new_stack(folder: Folder, command: str) -> None:
    folder.has("dev", "two")
    assert folder.run(f"pulumi {command}").arguments == ["--non-interactive", *command.split()]


def test_before_the_first_up_it_says_what_makes_a_stack(folder: Folder) -> None:
    assert "`make up` makes one" in folder.run("pulumi preview").said


def test_a_secret_of_a_stack_that_everyone_can_read_is_warned_of(folder: Folder) -> None:
    folder.has("dev")
    outcome = folder.run("pulumi config set --secret kongAdminToken token")
    assert outcome.code == 0
    assert "everyone can read the passphrase of stack dev" in outcome.said


def test_dockers_context_leads_the_plugin(folder: Folder) -> None:
    folder.has("dev")
    rootless = "unix:///run/user/1000/docker.sock"
    assert folder.run("pulumi up").docker_host == ""
    assert folder.run("pulumi up", CONTEXT_HOST=rootless).docker_host == rootless
    assert folder.run("pulumi up", CONTEXT_HOST=rootless, DOCKER_HOST="ssh://h").docker_host == "ssh://h"


def test_the_real_cli_works_on_the_stack_that_it_has_selected(folder: Folder) -> None:
    (folder.path / ".local" / "bin" / "pulumi").unlink()
    (folder.path / ".local" / "state").mkdir()
    given = build_environment() | {"PULUMI_BACKEND_URL": folder.backend, "PULUMI_HOME": str(folder.home)}
    for stack in ("one", "two"):
        subprocess.run(["pulumi", "stack", "init", stack], cwd=folder.path, env=given, check=True)
    line = "pulumi stack --show-name > names && pulumi stack select one && pulumi stack --show-name >> names"
    outcome = folder.run(line, PATH=given["PATH"])
    assert (outcome.code, outcome.said) == (0, "")
    assert (folder.path / "names").read_text() == "two\none\n"


@pytest.mark.parametrize("command", ["destroy", "down --yes", "--color never destroy --stack dev"])
def test_a_destroy_says_what_goes_with_it(folder: Folder, command: str) -> None:
    folder.has("dev", "two")
    folder.selects("dev")
    folder.configures("dev")
    outcome = folder.run(f"pulumi {command}", SERVED="dev")
    assert "Sessions in the volume of stack dev, removed with it: 3. To keep them: make backup" in outcome.said
    assert outcome.arguments == command.split()
    assert folder.run(f"pulumi {command}").said == ""  # there is no volume
    assert folder.run("pulumi up", SERVED="dev").said == ""


def test_a_destroy_says_so_in_other_backends_and_engines_too(folder: Folder) -> None:
    folder.configures("mine", dockerHost="ssh://engine")
    given = {"PULUMI_BACKEND_URL": "s3://states", "SERVED": "mine", "ENGINE": "ssh://engine"}
    line = "export PULUMI_BACKEND_URL=s3://states && pulumi destroy --stack organization/session-context/mine"
    assert "make backup STACK=mine" in folder.run(line, **given).said
    assert "can't be counted" in folder.run(line, **given | {"ENGINE": "ssh://another"}).said


def test_before_setup_activate_says_what_to_do(folder: Folder) -> None:
    (folder.path / ".venv").unlink()
    outcome = folder.run("true")
    assert outcome.code == 1
    assert "make setup" in outcome.said
