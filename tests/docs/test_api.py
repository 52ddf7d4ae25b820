"""The examples of docs/api.md, run from top to bottom against a service."""

import os
from pathlib import Path

import pytest

from local.workspace import ROOT
from tests.docs.blocks import blocks, is_as_shown, run, run_python
from tests.service.processes import Service, running


def test_the_examples_answer_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [block for block in blocks(ROOT / "docs" / "api.md") if block.is_run]
    assert {block.language for block in examples} == {"console", "pycon"}
    names: dict[str, object] = {}
    with running(Service(tmp_path)) as service:
        monkeypatch.setenv("API", service.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for block in examples:
            if block.language == "pycon":
                run_python(block, names)
            else:
                run(block, os.environ)


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
