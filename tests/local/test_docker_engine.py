"""What is said where no Docker engine answers."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.workspace import ROOT

START = """
from local import docker_engine
from local.workspace import LocalError
try:
    docker_engine.start()
except LocalError as error:
    print(error)
"""


def refused(folder: Path, **variables: str) -> str:
    """The message on a machine where Docker's context leads to an engine that is down."""
    docker = folder / "docker"
    docker.write_text("#!/bin/sh\necho unix:///of/the/context/docker.sock\n")
    docker.chmod(0o755)
    command, given = [sys.executable, "-c", START], {"PATH": str(folder)} | variables
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True).stdout


def test_where_the_engine_of_the_context_is_down_the_context_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path)
    assert "answers at unix:///of/the/context/docker.sock, where Docker's current context leads" in told
    assert "DOCKER_HOST" not in told


@pytest.mark.parametrize("host", ["unix:///mine/docker.sock", "ssh://nobody@127.0.0.1:9"])
def test_who_has_set_docker_host_is_told_to_unset_it(tmp_path: Path, host: str) -> None:
    told = refused(tmp_path, DOCKER_HOST=host)
    assert f"no Docker engine answers at {host}" in told
    assert "unset DOCKER_HOST" in told
