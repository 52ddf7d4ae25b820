"""The script that comments a preview, with a `gh` that records its calls."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.workspace import ROOT

RECORDED = ROOT / "tests" / "infra" / "report" / "recorded"
GH = """\
#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/asked"
case "$*" in
  *"/pulls -f"*) cat "$FAKE/number" ;;
  "run download"*) for folder; do :; done; cp "$FAKE/preview.json" "$folder/" ;;
  *"--method"*"body=@"*) for body; do :; done; cp "${body#body=@}" "$FAKE/body" ;;
  *"/comments --jq"*) cat "$FAKE/comment" ;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """Make a folder with what GitHub answers: the pull request is number 7 and has no comment yet."""
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "number").write_text("7\n")
    (tmp_path / "comment").write_text("")
    (tmp_path / "asked").write_text("")
    shutil.copy(RECORDED / "drift.json", tmp_path / "preview.json")
    return tmp_path


def comment(fake: Path) -> str:
    """Run the script and return its calls of `gh`."""
    environment = {
        **os.environ,
        "PATH": f"{fake}:{os.environ['PATH']}",
        "FAKE": str(fake),
        "GITHUB_REPOSITORY": "o/r",
        "RUN_ID": "1",
        "HEAD_SHA": "abc",
        "HEAD_OWNER": "someone",
        "HEAD_BRANCH": "a&b",
    }
    subprocess.run([ROOT / ".github" / "comment-preview"], cwd=ROOT, env=environment, check=True)
    return (fake / "asked").read_text()


def test_the_first_report_is_a_new_comment(fake: Path) -> None:
    asked = comment(fake)
    assert "-f head=someone:a&b" in asked
    assert "--method POST repos/o/r/issues/7/comments" in asked
    body = (fake / "body").read_text()
    assert body.startswith("<!-- preview of the stack -->\n## Preview of stack `dev`")
    assert body.endswith("Of commit abc, as its own code reports it.\n")


def test_the_next_report_replaces_it(fake: Path) -> None:
    (fake / "comment").write_text("41\n42\n")
    assert "--method PATCH repos/o/r/issues/comments/42" in comment(fake)


def test_without_an_open_pull_request_nothing_is_written(fake: Path) -> None:
    (fake / "number").write_text("")
    assert "--method P" not in comment(fake)


def test_a_run_without_a_report_is_not_a_failure(fake: Path) -> None:
    (fake / "preview.json").unlink()
    assert "--method P" not in comment(fake)


def test_a_file_that_is_not_a_preview_is_reported(fake: Path) -> None:
    (fake / "preview.json").write_text("@someone <script>")
    comment(fake)
    assert "There is no preview." in (fake / "body").read_text()
