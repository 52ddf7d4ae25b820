"""The check of the stacks without Kong, AWS, Docker and the state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import ROOT
from infra.plan.check import Outcome, check
from infra.plan.golden import PLANS
from tests.infra.plans import stack_with


def test_it_needs_nothing_outside_and_says_so_by_its_exit_code() -> None:
    nothing = {
        "PATH": "/nowhere",
        "HOME": "/nowhere",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "LANG": os.environ.get("LANG", ""),
    }
    command = [sys.executable, "-m", "infra.plan", "check"]
    done = subprocess.run(command, cwd=ROOT, env=nothing, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    for stack in ("dev", "kubernetes", "prod", "staging"):
        assert f"Stack {stack}: valid, and as in its plan in git" in done.stdout
    for unseen in (
        "the state: what is deployed already",
        "Kong at https://kong-admin.internal:8444: whether it accepts the entities",
        "zone Z0123456789ABCDEFGHIJ of Route 53: whether sessioncontext.fountain.coach is in it, and free",
        "the Docker engine ssh://deploy@docker-1.internal: whether it answers",
        "the cluster: whether it accepts the objects in namespace",
        "secrets, which valid placeholders replace: consumers, databaseUrl, kongAdminToken",
    ):
        assert f"  - {unseen}" in done.stdout


def test_a_changed_stack_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stack_with(tmp_path, memory=1024, dns="none", imageRepository="registry.example.com/api")
    assert check(file, PLANS) is Outcome.CHANGED
    printed = capsys.readouterr().out
    assert "Stack dev: valid, and differs from its plan in git\n--- git: dev.yaml\n+++ now\n" in printed
    assert "\n-      memory: 512\n" in printed
    assert "\n+      memory: 1024\n" in printed
    assert "the registry of registry.example.com/api: whether it has the image" in printed
    assert "Route 53" not in printed


def test_an_invalid_stack_is_named_with_its_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(stack_with(tmp_path, ttl="soon"), PLANS) is Outcome.INVALID
    assert "Stack dev: Invalid config for stack dev" in capsys.readouterr().out
