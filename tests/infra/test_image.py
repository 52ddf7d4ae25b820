"""The image's tag: it changes with the build's inputs, and with nothing else."""

import os
from pathlib import Path

import pytest

from infra.image import content_hash, stage
from offline.docker_plugin.image import hash_context


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the inputs of a build."""
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Path:
    (folder / "service").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM base\nCOPY service service\n")
    (folder / "service" / "app.py").write_text("a = 1\n")
    return folder


def test_dates_and_path_do_not_count(project: Path, tmp_path: Path) -> None:
    before = content_hash(project, "base")
    for file in project.rglob("*"):
        os.utime(file, (0, 0))
    assert content_hash(project, "base") == before
    assert content_hash(make_project(tmp_path / "elsewhere"), "base") == before


def test_ignored_files_do_not_count(project: Path) -> None:
    before = content_hash(project, "base")
    (project / "README.md").write_text("hello")
    (project / "service" / "__pycache__").mkdir()
    (project / "service" / "__pycache__" / "app.pyc").write_text("compiled")
    assert content_hash(project, "base") == before


@pytest.mark.parametrize("change", ["content", "name", "new file", "mode", "Dockerfile", "base image", "platform"])
def test_every_input_counts(project: Path, change: str) -> None:
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


def file_names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_only_inputs_are_staged(project: Path) -> None:
    for name in (".env", "infra/stack.py", "service/a/b.py", "service/a/x.pyc", "service/__pycache__/c"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    assert file_names(stage(project)) == ["Dockerfile", "service/a/b.py", "service/app.py"]


def test_removed_files_are_removed_from_the_stage(project: Path) -> None:
    folder = project / "service" / "data"
    folder.mkdir()
    (folder / "old").touch()
    stage(project)
    (folder / "old").unlink()
    folder.rmdir()
    (project / "service" / "app.py").rename(folder)
    assert file_names(stage(project)) == ["Dockerfile", "service/data"]
    folder.rename(project / "service" / "app.py")
    assert sorted(found.name for found in stage(project).rglob("*")) == ["Dockerfile", "app.py", "service"]


def digest(context: Path) -> str:
    return hash_context(context, context / "Dockerfile")


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077])
def test_the_umask_of_a_clone_does_not_count(project: Path, umask: int) -> None:
    before = digest(project), digest(stage(project))
    for file in project.rglob("*"):
        file.chmod((0o777 if file.is_dir() else 0o666) & ~umask)
    assert digest(project) != before[0]
    context = stage(project)
    assert digest(context) == before[1]
    assert {file.stat().st_mode & 0o777 for file in context.rglob("*") if file.is_dir()} == {0o755}


def test_the_executable_bit_counts(project: Path) -> None:
    before = digest(stage(project))
    (project / "service" / "app.py").chmod(0o700)
    executable = digest(stage(project))
    assert executable != before
    (project / "service" / "app.py").chmod(0o777)
    assert digest(stage(project)) == executable
