"""The load itself: it sees each failure and each lost write."""

import signal
from pathlib import Path

from tests.gapless.load import SteadyLoad
from tests.service.processes import Service, running
from tests.waiting import wait_for

RATE = 200


def test_a_service_that_serves_fails_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        with SteadyLoad(service.url, RATE) as load:
            wait_for(lambda: len(load.samples) > RATE)
        versions = {context.split()[1] for context in service.contexts().values()}
        assert [each.wrong for each in load.samples if each.wrong] == []
        assert {"0", "1"} <= versions
        assert load.list_lost() == []


def test_a_session_that_is_missing_or_has_another_content_is_a_lost_write(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        with SteadyLoad(service.url, RATE) as load:
            wait_for(lambda: len(load.samples) > RATE)
        first, second, *_ = service.contexts()
        service.delete(first)
        service.update(second, context="of another client")
        lost = load.list_lost()
    assert [fault.partition(",")[0] for fault in lost] == [f"lost: session {each}" for each in (first, second)]


def test_a_request_without_an_answer_is_a_failure(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service, SteadyLoad(service.url, RATE) as load:
        wait_for(lambda: len(load.samples) > RATE)
        service.send(signal.SIGKILL)
        wait_for(lambda: load.samples[-1].wrong)
    assert "Connect" in load.samples[-1].wrong
