"""The engine starts the Kong provider with the program's own Python."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.paths import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the project without packages, in a folder with a space in its name."""
    folder = tmp_path / "a clone"
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    return folder


@contextmanager
def started(project: Path, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    # Somebody listens at the engine's address, or another run's `make up` would take this process for an orphan.
    with socket.create_server(("127.0.0.1", 0)) as engine:
        command: list[str | Path] = [
            project / "infra" / "kong" / "pulumi-resource-kong",
            f"127.0.0.1:{engine.getsockname()[1]}",
        ]
        with subprocess.Popen(
            command, cwd="/", env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as provider:
            yield provider


def prints_its_port(project: Path, **variables: str) -> bool:
    with started(project, **variables) as provider:
        assert provider.stdout is not None
        port = provider.stdout.readline().strip()
        provider.kill()
        provider.communicate()
    return port.isdecimal()


@pytest.mark.parametrize("virtualenv", [".venv", "venv", "../elsewhere"])
def test_it_starts_from_the_programs_virtualenv(project: Path, virtualenv: str) -> None:
    (project / virtualenv).symlink_to(ROOT / ".venv")
    file = project / "Pulumi.yaml"
    file.write_text(file.read_text().replace("virtualenv: .venv", f"virtualenv: {virtualenv}"))
    assert prints_its_port(project)


def test_without_a_virtualenv_it_starts_from_the_python_on_path(project: Path) -> None:
    file = project / "Pulumi.yaml"
    file.write_text(file.read_text().replace("  options:\n    virtualenv: .venv\n", ""))
    assert prints_its_port(project, PATH=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_an_active_virtualenv_will_do_and_no_shell_is_needed(project: Path) -> None:
    assert prints_its_port(project, PATH=str(ROOT / ".venv" / "bin"))


def test_without_packages_it_prints_how_to_install_them(project: Path) -> None:
    with started(project) as provider:
        _, stderr = provider.communicate()
    assert provider.returncode == 1
    assert "run `pulumi install`" in stderr
