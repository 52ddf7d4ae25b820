"""The outputs that other programs rely on are those that the docs list."""

import re

import yaml

from local.workspace import ROOT

KINDS = {"string": str, "object": dict, "list of strings": list, "list of objects": list}


def test_every_output_is_listed_with_its_type() -> None:
    page = (ROOT / "docs" / "state.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", page, re.MULTILINE))
    outputs = {
        name: value
        for stack in ("dev", "kubernetes", "staging")
        for name, value in yaml.safe_load((ROOT / "plans" / f"{stack}.yaml").read_text())["outputs"].items()
    }
    assert listed.keys() == outputs.keys()
    assert [name for name, value in outputs.items() if not isinstance(value, KINDS[listed[name]])] == []
