"""What `make setup` chooses: the official part if it is available, else the stand-in."""

import subprocess
from pathlib import Path

import pytest

from local import go_programs, install, pulumi_tools
from local.workspace import ROOT, SHELL


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a machine without Pulumi that reaches no download page."""
    for module in (go_programs, pulumi_tools):
        monkeypatch.setattr(module, "BIN", tmp_path / "bin")
    monkeypatch.setattr(pulumi_tools, "DOWNLOADS", "http://127.0.0.1:9")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "path").mkdir()
    return tmp_path


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_a_missing_plugin_is_replaced_by_the_stand_in(machine: Path) -> None:
    pulumi_tools.install_plugin("docker")
    assert "offline.docker_plugin" in (machine / "bin" / "pulumi-resource-docker").read_text()
    assert pulumi_tools.stand_ins() == ["pulumi-resource-docker"]


@pytest.mark.usefixtures("machine")
def test_why_nothing_can_be_downloaded_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    pulumi_tools._is_reachable.cache_clear()
    for name in pulumi_tools.PLUGINS:
        pulumi_tools.install_plugin(name)
    assert capsys.readouterr().out.count("Could not reach http://127.0.0.1:9: [Errno 111] Connection refused") == 1


@pytest.mark.usefixtures("machine")
def test_the_stand_ins_that_are_used_instead_are_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(pulumi_tools, "install_cli", lambda: tmp_path / "cli")
    for _ in range(2):
        pulumi_tools.install()
    printed = capsys.readouterr().out
    names = "pulumi-language-python, pulumi-resource-aws, pulumi-resource-docker"
    assert printed.endswith(f"Using stand-ins (offline/README.md) for {names}\n")
    assert printed.count("Using") == 1


def test_setup_alone_ends_with_the_next_command() -> None:
    make = ["make", "--no-print-directory", "setup"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "Ready: make up"


@pytest.mark.parametrize("place", ["home/plugins/resource-docker-v5.2.0", "path"])
def test_the_plugin_is_used_once_it_is_installed(machine: Path, place: str) -> None:
    pulumi_tools.install_plugin("docker")
    executable(machine / place / "pulumi-resource-docker")
    pulumi_tools.install_plugin("docker")
    assert pulumi_tools.stand_ins() == []


def test_a_missing_language_host_is_replaced_by_the_stand_in(machine: Path) -> None:
    pulumi_tools.install_language_host(machine / "cli")
    assert pulumi_tools.stand_ins() == ["pulumi-language-python"]


@pytest.mark.parametrize("place", ["cli", "path"])
def test_the_language_host_is_used_once_it_is_installed(machine: Path, place: str) -> None:
    pulumi_tools.install_language_host(machine / "cli")
    executable(machine / place / "pulumi-language-python")
    pulumi_tools.install_language_host(machine / "cli")
    assert pulumi_tools.stand_ins() == []


def test_after_activate_setup_does_not_find_its_own_cli(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{SHELL}:{machine / 'bin'}:{machine / 'path'}")
    executable(machine / "bin" / "pulumi")
    assert go_programs.find_command("pulumi") is None


def test_a_stand_in_of_another_clone_is_replaced(machine: Path) -> None:
    executable(machine / "bin" / "pulumi-resource-aws")
    pulumi_tools.install_plugin("aws")
    assert str(ROOT) in (machine / "bin" / "pulumi-resource-aws").read_text()


def test_packages_of_another_clone_are_left_alone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "other").mkdir()
    (machine / "venv").symlink_to(machine / "other")
    monkeypatch.setattr(install, "VENV", machine / "venv")
    install._install_python_packages()
    assert list((machine / "other").iterdir()) == []
