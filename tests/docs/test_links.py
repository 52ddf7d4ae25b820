"""Every link inside the documentation leads to something, and the site is built of it."""

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from local.workspace import ROOT, VENV
from tests.docs.blocks import pages, tokens

DOCS = ROOT / "docs"
OUTSIDE = re.compile(r"(src|href)=\"?https?://([^/\"]+)")


def links(page: Path) -> list[str]:
    """List the targets inside this repository."""
    found = [str(token.attrs.get("href") or token.attrs.get("src") or "") for token in tokens(page)]
    return [target for target in found if target and "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return the headings as GitHub and the site name them."""
    headings = [one.content for before, one in pairwise(tokens(page)) if before.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    goal = (page.parent / path).resolve() if path else page
    if not goal.exists():
        return True
    return bool(anchor) and anchor not in anchors(goal)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_something(page: Path) -> None:
    assert [target for target in links(page) if broken(page, target)] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_pages_of_the_site_link_to_each_other_alone(page: Path) -> None:
    paths = [target.partition("#")[0] for target in links(page)]
    assert [path for path in paths if not (page.parent / path).resolve().is_relative_to(DOCS)] == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    named = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text())
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = DOCS / "decisions"
    assert sorted(links(folder / "index.md")) == sorted(page.name for page in folder.glob("0*.md"))


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading, `x`\n[a](page.md#a-heading-x) [b](page.md#b) [c](c.md)\n")
    assert [target for target in links(page) if broken(page, target)] == ["page.md#b", "c.md"]


def test_every_file_that_a_page_names_is_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = listed.split()
    missing = {
        (page.relative_to(ROOT).as_posix(), name)
        for page in pages()
        for token in tokens(page)
        if token.type == "code_inline"
        for name in re.findall(r"^(?:[\w-]+/)*\w+\.py$", token.content)
        if not any(f"/{file}".endswith(f"/{name}") for file in files)
    }
    assert missing == set()


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    command = [str(VENV / "bin" / "zensical"), "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    hosts = {host for page in (tmp_path / "site").rglob("*.html") for _, host in OUTSIDE.findall(page.read_text())}
    assert hosts <= {"zensical.org", *hosts_linked()}


def hosts_linked() -> set[str]:
    """Return the hosts that the pages themselves link to."""
    return set(re.findall(r"\]\(https?://([^/)]+)", "\n".join(page.read_text() for page in DOCS.rglob("*.md"))))
