"""The config file of a stack, in whatever state a user left it."""

from pathlib import Path

import pytest

from local import workspace
from local.stack_config import read_config
from local.workspace import LocalError, Workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(workspace, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("content", [b"", b"config:", b"config: {}", b"encryptionsalt: x"])
def test_a_file_may_set_nothing(root: Path, content: bytes) -> None:
    (root / "Pulumi.dev.yaml").write_bytes(content)
    assert read_config(Workspace(stack="dev")) == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"config: [", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"hello", "is not the config of a stack"),
        (b"[a]", "is not the config of a stack"),
        (b"config: hello", "is not the config of a stack"),
        (b"config: [a]", "is not the config of a stack"),
    ],
)
def test_a_file_that_is_not_a_config_is_named(root: Path, content: bytes, reason: str) -> None:
    (root / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(LocalError, match=f"Pulumi.dev.yaml {reason}"):
        read_config(Workspace(stack="dev"))


@pytest.mark.usefixtures("root")
def test_a_missing_file_is_named_with_what_to_do() -> None:
    with pytest.raises(LocalError, match=r"git checkout Pulumi\.dev\.yaml"):
        read_config(Workspace(stack="dev"))
    with pytest.raises(LocalError, match="run `make up STACK=pr-42` without ports"):
        read_config(Workspace(stack="pr-42"))
