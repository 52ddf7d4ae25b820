"""The script that prints the notes of a release."""

import shutil
import subprocess
from pathlib import Path

import pytest

from local.workspace import ROOT

CHANGELOG = """\
# Changelog

## [Unreleased]
- Not this.

## [1.2.0] - 2026-12-01
### Added
- This.

## [1.1.0] - 2026-11-30
- Nor this.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".github").mkdir()
    shutil.copy(ROOT / ".github" / "release-notes", tmp_path / ".github")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0" # the project\'s\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def release_notes(project: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / ".github" / "release-notes", tag], capture_output=True, text=True, check=False
    )


def test_the_notes_are_the_section_of_that_version(project: Path) -> None:
    assert release_notes(project, "v1.2.0").stdout == "### Added\n- This.\n"


def test_a_tag_of_another_version_is_refused(project: Path) -> None:
    refused = release_notes(project, "v1.1.0")
    assert refused.returncode == 1
    assert refused.stderr == "pyproject.toml has another version than the tag v1.1.0\n"


def test_a_version_without_a_section_is_refused(project: Path) -> None:
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    refused = release_notes(project, "v1.2.0")
    assert refused.returncode == 1
    assert refused.stderr == "CHANGELOG.md has no section for 1.2.0\n"
