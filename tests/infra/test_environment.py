"""The golden plans do not depend on environment variables of other tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import ROOT
from infra.plan.golden import PLANS
from infra.plan.stack_file import stack_files, stack_name

WRITE = """
import os, sys
from pathlib import Path
from infra.plan.golden import render_plan
os.umask(0o077)
sys.stdout.buffer.write(render_plan(Path(sys.argv[1])).encode())
"""

OF_OTHER_TOOLS = {
    "AWS_DEFAULT_REGION": "eu-north-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_PROFILE": "no-such-profile",
    "AWS_REGION": "eu-north-1",
    "COLUMNS": "20",
    "DOCKER_CERT_PATH": "/no/such/folder",
    "DOCKER_CONTEXT": "no-such-context",
    "DOCKER_HOST": "unix:///no/such/docker.sock",
    "KONG_ADMIN_URL": "http://127.0.0.1:9",
    "LANG": "C",
    "LC_ALL": "C",
    "PULUMI_BACKEND_URL": "file:///no/such/folder",
    "PULUMI_CONFIG_PASSPHRASE": "dev",
    "PULUMI_STACK": "no-such-stack",
    "TZ": "Pacific/Apia",
}


@pytest.mark.parametrize("file", stack_files(), ids=stack_name)
def test_a_plan_does_not_depend_on_the_environment(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WRITE, file],
        cwd=ROOT,
        env=os.environ | OF_OTHER_TOOLS,
        capture_output=True,
        check=False,
    )
    assert done.stderr.decode() == ""
    assert done.stdout.decode() == (PLANS / f"{stack_name(file)}.yaml").read_text(encoding="utf-8")
