"""The fenced code blocks of the documentation, and how a block is run and compared with what it shows."""

import doctest
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from local.workspace import ROOT

NOT_RUN = ("# Needs ", "# Takes ", "# Adds ", "# Uses ")
"""How a block begins that no test runs: what the reader needs, such as an AWS account, or what it takes."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    content: str

    @property
    def where(self) -> str:
        """The place of its first line."""
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether a test runs it; what the others say is checked as far as it can be without running it."""
        return not self.content.startswith(NOT_RUN)

    def steps(self) -> Iterator[tuple[str, str]]:
        """Yield each command after a `$`, without its comment, and the output that is shown below it."""
        for part in re.split(r"^\$ ", self.content, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:.*\\\n)*.*\n", part)
            assert command is not None
            yield re.sub(r" +# .*", "", command[0]).strip(), part[command.end() :]


def pages() -> list[Path]:
    """List every Markdown file in git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split()]


def tokens(page: Path) -> Iterator[Token]:
    """Yield all of a page, what is inside a line too."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield token
        yield from token.children or []


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(
            page=page.relative_to(ROOT).as_posix(),
            line=token.map[0] + 1,
            language=token.info,
            content=token.content,
        )
        for token in tokens(page)
        if token.type == "fence" and token.map
    ]


def is_as_shown(printed: str, shown: str) -> bool:
    """Return whether it printed what a page shows: `…` stands for any text, or alone on a line for any lines."""
    lines = (r"(?:.*\n)*" if line == "…\n" else re.escape(line) for line in shown.splitlines(keepends=True))
    pattern = "".join(lines).replace("…", ".*")
    return re.fullmatch(pattern, printed.replace("\r\n", "\n").rstrip("\n") + "\n" if printed else "") is not None


def run(block: Block, environment: Mapping[str, str], cwd: Path = ROOT) -> None:
    """Run each command of a block, and compare its output where the page shows any."""
    for command, shown in block.steps():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{block.where}: {command}\n{done.stdout}{done.stderr}"
        assert not shown or is_as_shown(done.stdout, shown), f"{block.where}: {command}\nprinted:\n{done.stdout}"


def run_python(block: Block, names: dict[str, object]) -> None:
    """Run a block of an interactive Python, and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(block.content, names, block.where, block.page, block.line)
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert report == [], "".join(report)
