"""The image's name: it changes with what goes into the image, and with nothing else."""

import os
import shutil
from pathlib import Path

import pytest
from docker.utils import exclude_paths

from infra.image import ROOT, build_files, content_hash


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what a build takes in."""
    return a_project(tmp_path / "project")


def a_project(folder: Path) -> Path:
    (folder / "service").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM base\nCOPY service service\n")
    (folder / ".dockerignore").write_text("*\n!service\n**/__pycache__\n")
    (folder / "service" / "app.py").write_text("a = 1\n")
    return folder


def test_dates_and_place_do_not_count(project: Path, tmp_path: Path) -> None:
    before = content_hash(project, "base")
    for file in project.rglob("*"):
        os.utime(file, (0, 0))
    assert content_hash(project, "base") == before
    assert content_hash(a_project(tmp_path / "elsewhere"), "base") == before


def test_what_is_ignored_does_not_count(project: Path) -> None:
    before = content_hash(project, "base")
    (project / "README.md").write_text("hello")
    (project / "service" / "__pycache__").mkdir()
    (project / "service" / "__pycache__" / "app.pyc").write_text("compiled")
    assert content_hash(project, "base") == before


@pytest.mark.parametrize("change", ["content", "name", "new file", "mode", "Dockerfile", "base image", "platform"])
def test_what_goes_in_counts(project: Path, change: str) -> None:
    before = content_hash(project, "base")
    app, base, platform = project / "service" / "app.py", "base", None
    match change:
        case "content":
            app.write_text("a = 2\n")
        case "name":
            app.rename(app.with_name("main.py"))
        case "new file":
            (project / "service" / "empty.py").touch()
        case "mode":
            app.chmod(0o755)
        case "Dockerfile":
            (project / "Dockerfile").write_text("FROM base\n")
        case "platform":
            platform = "linux/arm64"
        case _:
            base = "other"
    assert content_hash(project, base, platform) != before


def test_docker_takes_in_the_same(project: Path) -> None:
    shutil.copy(ROOT / ".dockerignore", project)
    for name in ("README.md", ".env", "infra/stack.py", "service/.env", "service/a/b.py", "service/a/x.pyc"):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for cache in ("service/__pycache__", "service/a/__pycache__", "service/.ruff_cache", "service/a/.x_cache"):
        (project / cache).mkdir(parents=True)
        (project / cache / "file").touch()
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    taken = {project / name for name in exclude_paths(str(project), patterns)}
    # Docker sends its own two files always; of them the Dockerfile alone is part of the image.
    expected = {file for file in taken if file.is_file()} - {project / ".dockerignore"}
    assert set(build_files(project)) == expected
