"""Which platform a stack is on, and the file of a stack that shares one."""

from pathlib import Path

import pytest

from local import pulumi_stack, shared_platform, stack_config, workspace
from local.workspace import PORTS, LocalError, Workspace, read_workspace

DEV = """\
encryptionsalt: v1:salt
config:
  session-context:network: session-context-dev
  session-context:hostname: api.example.com
"""


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a clone whose dev stack was started on other ports."""
    for module in (workspace, shared_platform, stack_config):
        monkeypatch.setattr(module, "ROOT", tmp_path, raising=False)
    monkeypatch.setattr(workspace, "STATE", tmp_path)
    monkeypatch.setattr(pulumi_stack, "STACKS", tmp_path)
    for name in ("STACK", "BESIDE", *PORTS):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    Workspace(stack="dev", proxy_port=18000).save_ports()
    return tmp_path


def test_a_stack_without_a_file_is_beside_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK", "pr-42")
    found = read_workspace()
    assert (found.on, found.proxy_port, found.platform) == ("dev", 18000, "session-context-dev")


def test_a_stack_with_ports_has_a_platform_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK", "two")
    monkeypatch.setenv("PROXY_PORT", "28000")
    found = read_workspace()
    assert (found.on, found.platform) == ("", "session-context-two")
    found.save_ports()
    monkeypatch.delenv("PROXY_PORT")
    assert read_workspace() == found


def test_the_file_of_a_stack_says_whose_platform_it_is_on(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK", "pr-42")
    (clone / "Pulumi.pr-42.yaml").write_text(DEV)
    assert read_workspace().on == "dev"
    (clone / "Pulumi.pr-42.yaml").write_text(DEV.replace("session-context-dev", "kong-net"))
    assert read_workspace().on == ""


def test_ports_can_not_be_set_for_a_stack_beside_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STACK", "pr-42"), ("BESIDE", "dev"), ("TLS_PORT", "28443")):
        monkeypatch.setenv(name, value)
    with pytest.raises(LocalError, match="TLS_PORT can't be set for a stack beside dev, whose ports it shares"):
        read_workspace()


def test_a_file_that_exists_is_not_written_again() -> None:
    stack = Workspace(stack="pr-42", on="dev")
    shared_platform.create_config(stack)
    assert "pr-42.api.example.com" in stack.config_file.read_text()
    stack.config_file.write_text("config: {}")
    shared_platform.create_config(stack)
    assert stack.config_file.read_text() == "config: {}"


def test_a_platform_is_kept_while_another_stack_is_deployed_on_it(clone: Path) -> None:
    shared_platform.create_config(Workspace(stack="pr-42", on="dev"))
    shared_platform.require_unshared(Workspace(stack="dev"))
    (clone / "pr-42.json").write_text("{}")
    with pytest.raises(LocalError, match=r"used by pr-42 too. Run `make down STACK=pr-42` first"):
        shared_platform.require_unshared(Workspace(stack="dev"))
    shared_platform.require_unshared(Workspace(stack="pr-42", on="dev"))
