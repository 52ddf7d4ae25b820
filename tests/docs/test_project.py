"""The project's own files agree with each other: version, changelog and locks."""

import re
import subprocess
import tomllib

import pytest

from local.workspace import ROOT, VENV

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOSTS = {"https://pypi.org", "https://files.pythonhosted.org"}


def uv(*arguments: str) -> str:
    command = [str(VENV / "bin" / "uv"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_lock_is_what_pyproject_asks_for() -> None:
    uv("lock", "--check", "--offline")


@pytest.mark.parametrize(
    ("requirements", "part"), [("requirements.txt", "--all-extras"), ("service/requirements.txt", "--no-dev")]
)
def test_requirements_are_exported_from_the_lock(requirements: str, part: str) -> None:
    exported = uv("export", "--frozen", "--no-emit-project", "--no-header", "--no-annotate", part)
    assert (ROOT / requirements).read_text() == exported


def test_the_lock_names_no_index_but_the_public_one() -> None:
    assert set(re.findall(r"https?://[^/\"]+", (ROOT / "uv.lock").read_text())) == HOSTS


def test_the_hooks_config_is_valid() -> None:
    prek = [str(VENV / "bin" / "prek"), "validate-config", ".pre-commit-config.yaml"]
    assert subprocess.run(prek, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_the_changelog_begins_with_the_unreleased_and_the_last_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(PROJECT['version'])}\] - \d{{4}}-\d\d-\d\d", headings[1])
