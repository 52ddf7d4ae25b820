"""The containers of a plan."""

import re

from infra.paths import ROOT
from infra.plan.recorder import record_plan
from infra.policy.containers import CONTAINER

HEALTH_CHECK = (
    r"HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) --retries=(\d+) \\\n +CMD \[(.*)\]"
)


def test_image_and_containers_have_the_same_health_check() -> None:
    resources, _ = record_plan(ROOT / "Pulumi.dev.yaml")
    container = next(resource for resource in resources if resource.type == CONTAINER)
    found = re.search(HEALTH_CHECK, (ROOT / "Dockerfile").read_text())
    assert found is not None
    interval, timeout, start_period, retries, command = found.groups()
    assert container.inputs["healthcheck"] == {
        "interval": interval,
        "timeout": timeout,
        "startPeriod": start_period,
        "retries": int(retries),
        "tests": ["CMD", *re.findall(r'"([^"]+)"', command)],
    }
