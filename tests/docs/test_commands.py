"""The commands of the documentation are of this project as it stands."""

import importlib.util
import os
import re
import subprocess
from functools import cache

import pytest
import yaml

from local.workspace import BIN, ROOT
from tests.docs.blocks import blocks, pages, tokens

COMMANDS = [
    command
    for page in pages()
    for block in blocks(page)
    if block.language == "console"
    for command, _ in block.steps()
] + [token.content for page in pages() for token in tokens(page) if re.match("(make|pulumi) ", token.content)]
MAKEFILE = (ROOT / "Makefile").read_text()
CONFIG = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
OTHERS_CONFIG = ("aws:region", "kong:adopt")

RUN = ("docs/api.md", "docs/operations.md", "docs/reviewing.md", "docs/kong-provider.md")
"""By test_api.py, and by tests/stack/test_docs.py."""
RUN_BY_ALL = (
    ".venv/bin/python -m pytest",
    ".venv/bin/python -m infra.plan check",
    "make setup",
    "make up",
    "make down",
)
"""With `make lint` and `make test`, what precedes each run of the tests, is part of it, or follows it."""


def found(pattern: str) -> set[tuple[str, ...]]:
    """Return what the pattern finds in all commands, each once."""
    return {match.groups() for command in COMMANDS for match in re.finditer(pattern, command)}


@cache
def pulumi_help(*words: str) -> str:
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    command = ["pulumi", *words, "--help"]
    return subprocess.run(command, env=os.environ | path, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("target", "variables"), sorted(found(r"\bmake ([a-z-]+)((?: [A-Z_]+=\S+)*)")))
def test_make_has_the_target_and_reads_its_variables(target: str, variables: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    for variable in re.findall(r"([A-Z_]+)=", variables):
        assert re.search(rf"\$\({variable}\)|^export\b.*\b{variable}\b", MAKEFILE, re.MULTILINE), variable


@pytest.mark.parametrize(
    ("words", "rest"), sorted(found(r"\bpulumi ((?:[a-z]+(?![\w:-]) ?)+)((?:[^|)' ]* ?--[a-z-]+ ?)*)"))
)
def test_pulumi_has_the_command_and_its_flags(words: str, rest: str) -> None:
    shown = pulumi_help(*words.split()[:2])  # more words are names and values
    assert re.search(r"^Usage:\n  pulumi [a-z]", shown, re.MULTILINE), f"no command pulumi {words}"
    assert set(re.findall(r"--[a-z-]+", rest)) <= set(re.findall(r"--[a-z-]+", shown))


@pytest.mark.parametrize(
    "key", sorted(key for (key,) in found(r"pulumi config (?:set|rm)(?: --secret| --path)* '?([A-Za-z:]+)"))
)
def test_a_config_key_is_one_of_the_stack(key: str) -> None:
    assert key in CONFIG or key in OTHERS_CONFIG


@pytest.mark.parametrize("module", sorted(module for (module,) in found(r"python3? -m ([\w.]+)")))
def test_a_module_that_python_runs_is_there(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_make_help_lists_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    declared = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", listed, re.MULTILINE)) == declared


def test_each_command_is_run_or_its_block_says_what_it_needs() -> None:
    others = [
        (block.where, command)
        for page in pages()
        for block in blocks(page)
        if block.language == "console" and block.is_run and block.page not in RUN
        for command, _ in block.steps()
        if not command.startswith((*RUN_BY_ALL, "make lint", "make test"))
    ]
    assert others == []
