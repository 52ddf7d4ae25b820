"""Plans of the dev stack with changed config."""

from pathlib import Path
from typing import Any

import yaml

from infra.paths import ROOT
from infra.plan.golden import render_plan


def stack_with(tmp_path: Path, **keys: object) -> Path:
    """Write the dev stack's file with these keys changed, and return it."""
    stack = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    stack["config"] |= {f"session-context:{key}": value for key, value in keys.items()}
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(yaml.safe_dump(stack))
    return file


def plan_with(tmp_path: Path, **keys: object) -> dict[str, Any]:
    """Return the plan of the dev stack with these keys changed."""
    plan: dict[str, Any] = yaml.safe_load(render_plan(stack_with(tmp_path, **keys)))
    return plan
