"""A stack's file, read as the engine reads it, but without its passphrase."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.paths import ROOT
from infra.plan.placeholders import placeholders

PROJECT_FILE = ROOT / "Pulumi.yaml"
MISSING_SECRET = re.compile(r"^#.*pulumi config set --secret (?:--path )?(\w+)(?:\.([\w.-]+))?$", re.MULTILINE)
"""A comment with the command that sets a secret which the file does not contain yet."""


def project_name() -> str:
    """Return the name of the project."""
    return str(yaml.safe_load(PROJECT_FILE.read_text())["name"])


def stack_files() -> list[Path]:
    """Return the files of all stacks."""
    return sorted(ROOT.glob("Pulumi.*.yaml"))


def stack_name(file: Path) -> str:
    """Return the name of the stack that a file configures."""
    return file.name.removeprefix("Pulumi.").removesuffix(".yaml")


def read_config(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return a stack's config with the project's defaults, as the engine passes it on, and its secret keys.

    Nothing is decrypted: each secret is replaced by a placeholder.
    """
    project = project_name()
    described = yaml.safe_load(PROJECT_FILE.read_text())["config"]
    defaults = {f"{project}:{key}": entry["default"] for key, entry in described.items() if "default" in entry}
    text = file.read_text()
    values = defaults | _missing_secrets(text, project) | (yaml.safe_load(text).get("config") or {})
    secrets = [key for key, value in values.items() if _contains_secret(value)]
    valid = {f"{project}:{key}": value for key, value in placeholders(str(values[f"{project}:hostname"])).items()}
    return {key: _to_text(_replace_secrets(value, key, valid)) for key, value in values.items()}, secrets


def _missing_secrets(text: str, project: str) -> dict[str, Any]:
    secret = {"secure": "v1:"}
    return {f"{project}:{key}": {name: secret} if name else secret for key, name in MISSING_SECRET.findall(text)}


def _contains_secret(value: object) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(map(_contains_secret, value.values()))
    return isinstance(value, list) and any(map(_contains_secret, value))


def _replace_secrets(value: Any, path: str, valid: Mapping[str, str]) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, dict):
        if "secure" in value:
            return valid.get(path, f"placeholder-for-{path}")
        return {key: _replace_secrets(item, f"{path}.{key}", valid) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_secrets(item, f"{path}.{index}", valid) for index, item in enumerate(value)]
    return value


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
