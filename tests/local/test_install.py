"""What `make setup` decides: the official part where there is one, the stand-in where there is none."""

from pathlib import Path

import pytest

from local import install
from local.workspace import ROOT, SHELL


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing of Pulumi on it, where no download page is reached."""
    monkeypatch.setattr(install, "BIN", tmp_path / "bin")
    monkeypatch.setattr(install, "DOWNLOADS", "http://127.0.0.1:9")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "path").mkdir()
    return tmp_path


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_without_the_plugin_the_stand_in_takes_its_place(machine: Path) -> None:
    install._plugin("docker")
    assert "offline.docker_plugin" in (machine / "bin" / "pulumi-resource-docker").read_text()
    assert install.stand_ins() == ["pulumi-resource-docker"]


@pytest.mark.usefixtures("machine")
def test_why_nothing_is_downloaded_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    install._reached.cache_clear()
    for name in install.PLUGINS:
        install._plugin(name)
    assert capsys.readouterr().out.count("http://127.0.0.1:9 is not reached: [Errno 111] Connection refused") == 1


@pytest.mark.parametrize("place", ["home/plugins/resource-docker-v5.2.0", "path"])
def test_the_plugin_is_used_as_soon_as_it_is_there(machine: Path, place: str) -> None:
    install._plugin("docker")
    executable(machine / place / "pulumi-resource-docker")
    install._plugin("docker")
    assert install.stand_ins() == []


def test_without_the_language_host_the_stand_in_takes_its_place(machine: Path) -> None:
    install._language_host(machine / "cli")
    assert install.stand_ins() == ["pulumi-language-python"]


@pytest.mark.parametrize("place", ["cli", "path"])
def test_the_language_host_is_used_as_soon_as_it_is_there(machine: Path, place: str) -> None:
    install._language_host(machine / "cli")
    executable(machine / place / "pulumi-language-python")
    install._language_host(machine / "cli")
    assert install.stand_ins() == []


def test_in_a_shell_with_activate_setup_finds_no_cli_of_its_own(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{SHELL}:{machine / 'bin'}:{machine / 'path'}")
    executable(machine / "bin" / "pulumi")
    assert install._found("pulumi") is None


def test_a_stand_in_of_another_clone_is_written_anew(machine: Path) -> None:
    executable(machine / "bin" / "pulumi-resource-aws")
    install._plugin("aws")
    assert str(ROOT) in (machine / "bin" / "pulumi-resource-aws").read_text()


def test_packages_of_another_clone_are_left_to_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "other").mkdir()
    (machine / "venv").symlink_to(machine / "other")
    monkeypatch.setattr(install, "VENV", machine / "venv")
    install._python_packages()
    assert list((machine / "other").iterdir()) == []
