"""What a full disk, a read-only home, an old Python or no network make `make` say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import install
from local.failures import add_hint, explain_os_error
from local.workspace import ROOT, LocalError

OLD = """#!/bin/sh
exec {python} -c "import sys; sys.version_info = (3, 9, 1); $2"
"""


def run_make(*arguments: str, **variables: str) -> str:
    """Run make where it must fail, and return its message."""
    given = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"} | variables
    done = subprocess.run(["make", *arguments], cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_old_python_is_named_with_another_choice(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(OLD.format(python=sys.executable))
    python.chmod(0o755)
    printed = run_make("setup", f"PYTHON={python}")
    assert "Error: this is Python 3.9, but 3.11 or later is needed. Choose another: make up PYTHON=" in printed


def test_a_missing_python_is_named_with_what_to_do() -> None:
    assert "Error: python9 is not installed. Install Python 3.11" in run_make("setup", "PYTHON=python9")


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ("/dev/null", "Not a directory: /dev/null/.cache/session-context."),
        ("/proc", "No such file or directory: /proc/.cache."),
    ],
)
def test_a_home_that_can_not_be_written_to_is_named_with_other_folders(home: str, reason: str) -> None:
    printed = run_make("setup", HOME=home)
    assert f"Error: {reason}" in printed
    assert "export XDG_CACHE_HOME=/tmp/cache PULUMI_HOME=/tmp/pulumi" in printed


def test_a_full_disk_is_explained() -> None:
    with pytest.raises(OSError, match="No space left") as failure, Path("/dev/full").open("w") as file:
        file.write("something")
    assert str(explain_os_error(failure.value)).startswith("No space left on device. Free some space")
    assert "The disk is full." in add_hint("`uv pip` exited with 2: No space left on device (os error 28)")


def test_a_clone_that_can_not_be_written_to_is_explained() -> None:
    error = PermissionError(13, "Permission denied", str(ROOT / ".local" / "bin"))
    assert "The clone must be writable" in str(explain_os_error(error))


def test_an_error_with_another_cause_keeps_its_traceback() -> None:
    assert explain_os_error(ConnectionResetError(104, "Connection reset by peer")) is None
    assert add_hint("the image's build failed") == "the image's build failed"


def test_without_network_the_last_error_of_pip_is_printed_with_what_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "VENV", tmp_path / "venv")
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_RETRIES": "0",
        "PIP_EXTRA_INDEX_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LocalError) as failure:
        install._install_python_packages()
    lines = str(failure.value).splitlines()
    assert lines[0].startswith(
        "the Python packages can't be installed. ERROR: No matching distribution found for uv=="
    )
    assert lines[1].startswith("Check the network, the proxy (HTTPS_PROXY) and pip's index (PIP_INDEX_URL)")
    assert not (tmp_path / "venv" / "installed").exists()
