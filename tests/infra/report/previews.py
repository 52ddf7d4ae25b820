"""Previews for the tests of the report: recorded ones, and steps as the engine writes them."""

import json
from pathlib import Path
from typing import Any

from infra.report.markdown import render
from infra.report.preview import parse

RECORDED = Path(__file__).parent / "recorded"
PARENT = "urn:pulumi:dev::p::a:b:Group::group"


def recorded(name: str) -> str:
    """Render the report of a recorded preview."""
    return render(parse((RECORDED / f"{name}.json").read_text()))


def step(op: str, kind: str = "a:b:Thing", name: str = "x", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Make a step as the engine writes it; `old` and `new` are inputs."""
    states = {
        f"{side}State": {
            "custom": True,
            "inputs": more.pop(side),
            "parent": PARENT,
            **more.pop(f"{side}_more", {}),
        }
        for side in ("old", "new")
        if side in more
    }
    return {"op": op, "urn": f"urn:pulumi:dev::p::{kind}::{name}", **states, **more}


def report(*steps: dict[str, Any], **more: object) -> str:
    """Render the report of a preview with these steps."""
    return render(parse(json.dumps({"steps": steps, **more})))


def report_update(kind: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """Render the report of one update."""
    changed = sorted(key for key in old | new if old.get(key) != new.get(key))
    return report(step("update", kind, old=old, new=new, diffReasons=changed))


def first_lines(text: str) -> list[str]:
    """Return the list of risks."""
    section = text.partition("### Look at first\n\n")[2].partition("\n\n")[0]
    return section.splitlines()
