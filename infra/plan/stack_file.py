"""A stack's file, read as the engine reads it, but without its passphrase."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.paths import ROOT
from infra.plan.placeholders import placeholders

PROJECT = ROOT / "Pulumi.yaml"
TO_BE_SET = re.compile(r"^#.*pulumi config set --secret (?:--path )?(\w+)(?:\.([\w.-]+))?$", re.MULTILINE)
"""A secret that the file doesn't hold yet, with the command that sets it."""


def project() -> str:
    """The name of the project."""
    return str(yaml.safe_load(PROJECT.read_text())["name"])


def stack_files() -> list[Path]:
    """The stacks' files."""
    return sorted(ROOT.glob("Pulumi.*.yaml"))


def stack_of(file: Path) -> str:
    """The name of the stack that a file is for."""
    return file.name.removeprefix("Pulumi.").removesuffix(".yaml")


def config(file: Path) -> tuple[dict[str, str], list[str]]:
    """The stack's config over the project's defaults, as the engine hands it on, and the names of its secrets.

    Nothing is decrypted, so no passphrase is needed: a placeholder stands for each secret.
    """
    described = yaml.safe_load(PROJECT.read_text())["config"]
    defaults = {f"{project()}:{key}": entry["default"] for key, entry in described.items() if "default" in entry}
    values = defaults | _to_be_set(file) | (yaml.safe_load(file.read_text()).get("config") or {})
    secrets = [key for key, value in values.items() if _holds_secret(value)]
    known = {
        f"{project()}:{key}": value for key, value in placeholders(str(values[f"{project()}:hostname"])).items()
    }
    return {key: _text(_without_secrets(value, key, known)) for key, value in values.items()}, secrets


def _to_be_set(file: Path) -> dict[str, Any]:
    """The secrets that an example's comments say to set, as the stack's file would hold them."""
    secret = {"secure": "v1:"}
    return {
        f"{project()}:{key}": {name: secret} if name else secret
        for key, name in TO_BE_SET.findall(file.read_text())
    }


def _holds_secret(value: Any) -> bool:  # noqa: ANN401 - YAML
    if isinstance(value, Mapping):
        return "secure" in value or any(_holds_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_secret(item) for item in value)


def _without_secrets(value: Any, path: str, known: Mapping[str, str]) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, Mapping):
        if "secure" in value:
            return known.get(path, f"placeholder-for-{path}")
        return {key: _without_secrets(item, f"{path}.{key}", known) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, f"{path}.{number}", known) for number, item in enumerate(value)]
    return value


def _text(value: Any) -> str:  # noqa: ANN401 - YAML
    return value if isinstance(value, str) else json.dumps(value)
