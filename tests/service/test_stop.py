"""The service after SIGTERM."""

import signal
import time
from pathlib import Path

import pytest

from tests.service.processes import Service, running
from tests.waiting import wait_for

DELAY = 3


@pytest.mark.parametrize("workers", [1, 2])
def test_it_serves_on_until_the_gateway_has_noticed_the_stop(tmp_path: Path, workers: int) -> None:
    with running(Service(tmp_path, stop_delay_seconds=DELAY, web_concurrency=workers)) as service:
        wait_for(service.is_ready)
        begin = time.monotonic()
        service.send(signal.SIGTERM)
        while time.monotonic() < begin + DELAY - 1:
            assert service.request("GET", "/readyz", headers={"Connection": "close"}).ok
            time.sleep(0.1)
        assert service.wait()[0] in (0, -signal.SIGTERM)
        assert time.monotonic() - begin >= DELAY
