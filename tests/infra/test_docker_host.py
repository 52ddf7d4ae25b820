"""The containers as they are declared."""

import re

from infra.paths import ROOT
from infra.plan.recorder import declared
from infra.policy.rules import CONTAINER

HEALTH_CHECK = (
    r"HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) --retries=(\d+) \\\n +CMD \[(.*)\]"
)


def test_the_image_has_the_health_check_that_its_containers_have() -> None:
    resources, _ = declared(ROOT / "Pulumi.dev.yaml")
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
