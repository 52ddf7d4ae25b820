"""What docs/api.md says of generated clients: its commands and its programs."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from local.workspace import ROOT, VENV
from tests.docs.blocks import blocks

PAGE = blocks(ROOT / "docs" / "api.md")


def program(language: str) -> str:
    """Return the only block in a language."""
    (block,) = [block for block in PAGE if block.language == language]
    return block.content


def command(name: str, document: str) -> list[str]:
    """Return the command that generates a client, for this document."""
    (line,) = [step for block in PAGE for step, _ in block.steps() if re.match(rf"(npx )?{name} ", step)]
    return shlex.split(line.replace("$API/openapi.json", document).removeprefix("npx "))


def run(words: list[str], folder: Path, **variables: str) -> str:
    """Return what a command prints; one that fails shows it."""
    environment = {**os.environ, "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}", **variables}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
