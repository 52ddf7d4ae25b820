"""`pulumi` after `. ./activate`: which stacks get the local backend and the public passphrase."""

import subprocess
from pathlib import Path

import pytest

from local.debian import find_program
from local.environment import build_environment
from tests.local.shell_clone import ShellClone


@pytest.fixture
def folder(tmp_path: Path) -> ShellClone:
    """Return a clone without stacks."""
    return ShellClone(tmp_path.resolve())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_stack_of_make_up_gets_the_local_backend_and_passphrase(folder: ShellClone, shell: str) -> None:
    folder.create_stacks("dev")
    outcome = folder.run("pulumi up --yes", shell=find_program(shell))
    assert (outcome.code, outcome.errors) == (0, "")
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
def test_no_other_stack_gets_them(folder: ShellClone, command: str) -> None:
    folder.create_stacks("dev")
    outcome = folder.run(f"pulumi {command}")
    assert outcome.code == 1
    assert outcome.arguments == []
    assert "was not created by `make up`" in outcome.errors
    assert "export PULUMI_BACKEND_URL=" in outcome.errors


def test_a_stack_named_by_the_environment_gets_neither(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    assert "stack mine was not created by" in folder.run("pulumi up", PULUMI_STACK="mine").errors
    assert folder.run("pulumi up", PULUMI_OPTION_STACK="mine").stack == "dev"


def test_with_another_backend_the_command_is_unchanged(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    outcome = folder.run("export PULUMI_BACKEND_URL=s3://states && pulumi stack init mine")
    assert outcome.arguments == ["stack", "init", "mine"]
    assert (outcome.backend, outcome.passphrase, outcome.stack) == ("s3://states", "", "")


@pytest.mark.parametrize("backend", ["", "s3://states"])
def test_no_proxy_is_used_for_services_of_this_machine(folder: ShellClone, backend: str) -> None:
    folder.create_stacks("dev")
    assert folder.run(f"PULUMI_BACKEND_URL={backend} pulumi up").no_proxy == "localhost,127.0.0.1,::1"


def test_an_earlier_backend_is_not_used_for_the_stack_of_make_up(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    given = {
        "PULUMI_BACKEND_URL": "s3://states",
        "PULUMI_CONFIG_PASSPHRASE": "real",
        "PULUMI_DIY_BACKEND_GZIP": "1",
    }
    outcome = folder.run("pulumi up", **given)
    assert (outcome.backend, outcome.passphrase) == (folder.backend, "dev")


@pytest.mark.parametrize("command", ["stack init mine", "new python"])
@pytest.mark.parametrize("place", ["cd {} && pulumi", "pulumi -C {}", "pulumi --cwd={}"])
def test_another_project_is_left_alone(folder: ShellClone, tmp_path: Path, place: str, command: str) -> None:
    folder.create_stacks("dev")
    other = tmp_path / "other"
    other.mkdir()
    if command != "new python":
        (other / "Pulumi.yaml").write_text("name: other\n")
    outcome = folder.run(f"{place.format(other)} {command}")
    assert outcome.arguments[-len(command.split()) :] == command.split()
    assert (outcome.backend, outcome.passphrase) == ("", "")


def test_the_project_is_found_from_other_folders(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    assert folder.run(f"cd / && pulumi -C {folder.path} up").stack == "dev"
    assert folder.run("cd local/shell && pulumi up").stack == "dev"


def test_the_selected_one_of_several_stacks_is_used(folder: ShellClone) -> None:
    folder.create_stacks("dev", "two")
    folder.select("two")
    assert folder.run("pulumi config set ttl 60").stack == "two"
    assert folder.run("pulumi config set ttl 60 --stack dev").stack == "dev"
    assert folder.run("pulumi stack select dev").stack == "dev"


@pytest.mark.parametrize("command", ["up", "stack select", "version"])
def test_the_cli_does_not_offer_to_create_a_stack(folder: ShellClone, command: str) -> None:
    folder.create_stacks("dev", "two")
    assert folder.run(f"pulumi {command}").arguments == ["--non-interactive", *command.split()]


def test_before_the_first_up_it_says_how_to_create_a_stack(folder: ShellClone) -> None:
    assert "`make up` creates one" in folder.run("pulumi preview").errors


def test_a_secret_under_the_public_passphrase_causes_a_warning(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    outcome = folder.run("pulumi config set --secret kongAdminToken token")
    assert outcome.code == 0
    assert "the passphrase of stack dev is public" in outcome.errors


def test_the_plugin_uses_dockers_context(folder: ShellClone) -> None:
    folder.create_stacks("dev")
    rootless = "unix:///run/user/1000/docker.sock"
    assert folder.run("pulumi up").docker_host == ""
    assert folder.run("pulumi up", CONTEXT_HOST=rootless).docker_host == rootless
    assert folder.run("pulumi up", CONTEXT_HOST=rootless, DOCKER_HOST="ssh://h").docker_host == "ssh://h"


def test_the_real_cli_works_on_the_stack_that_it_has_selected(folder: ShellClone) -> None:
    (folder.path / ".local" / "bin" / "pulumi").unlink()
    (folder.path / ".local" / "state").mkdir()
    given = build_environment() | {"PULUMI_BACKEND_URL": folder.backend, "PULUMI_HOME": str(folder.home)}
    for stack in ("one", "two"):
        subprocess.run(["pulumi", "stack", "init", stack], cwd=folder.path, env=given, check=True)
    line = "pulumi stack --show-name > names && pulumi stack select one && pulumi stack --show-name >> names"
    outcome = folder.run(line, PATH=given["PATH"])
    assert (outcome.code, outcome.errors) == (0, "")
    assert (folder.path / "names").read_text() == "two\none\n"


@pytest.mark.parametrize("command", ["destroy", "down --yes", "--color never destroy --stack dev"])
def test_a_destroy_prints_how_many_sessions_it_removes(folder: ShellClone, command: str) -> None:
    folder.create_stacks("dev", "two")
    folder.select("dev")
    folder.configure("dev")
    outcome = folder.run(f"pulumi {command}", SERVED="dev")
    assert "Sessions in the volume of stack dev, removed with it: 3. To keep them: make backup" in outcome.errors
    assert outcome.arguments == command.split()
    assert folder.run(f"pulumi {command}").errors == ""  # there is no volume
    assert folder.run("pulumi up", SERVED="dev").errors == ""


def test_a_destroy_prints_it_with_other_backends_and_engines_too(folder: ShellClone) -> None:
    folder.configure("mine", dockerHost="ssh://engine")
    given = {"PULUMI_BACKEND_URL": "s3://states", "SERVED": "mine", "ENGINE": "ssh://engine"}
    line = "export PULUMI_BACKEND_URL=s3://states && pulumi destroy --stack organization/session-context/mine"
    assert "make backup STACK=mine" in folder.run(line, **given).errors
    assert "can't be counted" in folder.run(line, **given | {"ENGINE": "ssh://another"}).errors


def test_before_setup_activate_says_what_to_do(folder: ShellClone) -> None:
    (folder.path / ".venv").unlink()
    outcome = folder.run("true")
    assert outcome.code == 1
    assert "make setup" in outcome.errors
