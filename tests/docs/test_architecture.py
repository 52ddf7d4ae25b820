"""The table of folders in docs/architecture.md is of this project as it stands."""

import re
import subprocess

import pytest

from local.workspace import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = re.findall(r"^\| `([a-z./]+)/` \|[^|]*\| ?([\d,]*) ?\|", PAGE, re.MULTILINE)
SHARE = 0.25
"""How far a rounded figure may be from the truth: past that it misleads."""


def files(pattern: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def lines(folder: str) -> int:
    """Count the lines of Python in a folder, without those of a folder in it that has a row of its own."""
    inner = tuple(f"{name}/" for name, _ in ROWS if name.startswith(f"{folder}/"))
    counted = [name for name in files(f"{folder}/*.py") if not name.startswith(inner)]
    return sum(len((ROOT / name).read_text().splitlines()) for name in counted)


def test_every_folder_has_a_row() -> None:
    there = {name.partition("/")[0] for name in files("*/*")}
    assert there - {name for name, _ in ROWS} == set()


@pytest.mark.parametrize(("folder", "figure"), [(name, figure) for name, figure in ROWS if figure])
def test_a_figure_is_about_right(folder: str, figure: str) -> None:
    there, said = lines(folder), int(figure.replace(",", ""))
    assert abs(there - said) <= SHARE * there, f"{folder}/ has {there} lines"


def test_no_file_of_python_is_longer_than_the_page_says() -> None:
    limit = re.search(r"No Python file is longer than (\d+) lines\.", PAGE)
    assert limit
    sizes = {name: len((ROOT / name).read_text().splitlines()) for name in files("*.py")}
    assert {name: size for name, size in sizes.items() if size > int(limit[1])} == {}
