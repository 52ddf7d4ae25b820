"""Which lines of Pulumi's output are worth reading."""

import re
from collections.abc import Iterable, Iterator

NOISE = re.compile(
    r"(; )?((warning: )?using pulumi-\S+ from \$PATH at .*"
    r"|a stand-in serves for .*"
    r"|Building your image for \S+ architecture\."
    r"|To ensure you are building for the correct platform, .*"
    r"|^@ (previewing update|updating|destroying)\.*"
    r"|^The resources in the stack have been deleted, but .*|^If you want to remove the stack completely, .*)"
)
"""Printed in every run, and needs no action."""

ROW = re.compile(r" [ +~<>=-]{1,3} ?\S+:\S+ \S+ ")
"""The beginning of a row with a resource's progress."""

REPEATED = re.compile(r" (error|warning): .*")
"""In a row. Diagnostics have it, too, and whole."""

BUILD_LOG = re.compile(r"( docker:index:Image \S+ (?:creat|updat)(?:ing|ed) \(\S+\)) (.*)")
COUNTS = re.compile(r"([; ] ?\d+ (warning|message)s?)+$")
"""At the end of a row; what they count follows under Diagnostics."""

REFRESH = re.compile(r" [ +~<>=-]{1,3} ?\S+:\S+ \S+ refresh(ing|ed)?\b")
"""A row that looks like a change, and says only how a resource was read. What changes has a row of its own."""

SECONDS = re.compile(r" \(\S+s\)$")
NAME_ONLY = re.compile(r" {4}\S+:\S+ \S+")
HEADING = re.compile(r"  \S+ \(.*\):")
DIAGNOSTICS, DETAIL = "Diagnostics:", "    "


def filter_output(lines: Iterable[str]) -> Iterator[str]:
    """Leave out noise, the image's build log, and the headings that this leaves empty; print each error once."""
    seen: set[str] = set()
    held: list[str] = []  # headings and empty lines, until a line follows them
    for original in (line.rstrip() for line in lines):
        line = _remove_noise(original)
        row = SECONDS.sub("", line)
        if REFRESH.match(line) or (line != original and (not line or NAME_ONLY.fullmatch(line) or row in seen)):
            continue
        seen.add(row)
        if line == DIAGNOSTICS:
            held = [line]
        elif HEADING.fullmatch(line):
            held = [DIAGNOSTICS, line] if DIAGNOSTICS in held else [*held[:1], line]
        elif not line:
            held.append("")
        else:
            if not line.startswith(DETAIL):
                held = held[-1:] if held[-1:] == [""] else []
            yield from held
            held = []
            yield line


def find_build_step(line: str) -> str:
    """Return what the image's build does, if the line is of its log."""
    found = BUILD_LOG.search(REPEATED.sub("", NOISE.sub("", line)))
    step = re.sub(r"^\[diff: .*?\];? ?", "", found[2]) if found else ""
    return "".join(filter(str.isprintable, step)).strip()


def _remove_noise(line: str) -> str:
    line = NOISE.sub("", line)
    if ROW.match(line):
        line = BUILD_LOG.sub(r"\1", COUNTS.sub("", REPEATED.sub("", line)))
    return line.rstrip()
