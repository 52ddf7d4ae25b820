"""Several processes that serve on one port: WEB_CONCURRENCY."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.ports import is_open
from tests.service.conftest import NewDatabase
from tests.service.processes import Service, run_service, running
from tests.waiting import wait_for

WORKERS = 2
CREATED = 'http_requests_total{method="POST",route="/sessions",status="201"}'
CLOSE = {"Connection": "close"}


@pytest.fixture
def service(tmp_path: Path, new_database: NewDatabase) -> Iterator[Service]:
    """Yield a service with workers, all of which serve."""
    url = new_database(tmp_path)
    with running(Service(tmp_path, database_url=url, web_concurrency=WORKERS)) as process:
        wait_for_all(process)
        yield process


def workers(service: Service) -> list[psutil.Process]:
    return [each for each in psutil.Process(service.pid).children() if "spawn_main" in " ".join(each.cmdline())]


def wait_for_all(service: Service) -> None:
    wait_for(lambda: len(answering(service)) == WORKERS)


def answering(service: Service) -> set[str]:
    """Return which workers answer: the ids that they generate for requests begin with a word of their own."""
    answers = [service.request("GET", "/livez", headers=CLOSE) for _ in range(20)]
    return {answer.headers["X-Request-ID"].partition("-")[0] for answer in answers}


def metric(service: Service, name: str) -> float:
    lines = service.request("GET", "/metrics", headers=CLOSE).text
    [value] = re.findall(rf"^{re.escape(name)} (.*)$", lines, re.MULTILINE)
    return float(value)


def create(service: Service, count: int) -> list[int]:
    """Create sessions at the same time, each over a connection of its own."""

    def create_one(_: int) -> int:
        answer = service.request("POST", "/sessions", json={"userId": 1}, headers=CLOSE)
        session_id: int = answer.json()["sessionId"]
        return session_id

    with ThreadPoolExecutor(8) as clients:
        return list(clients.map(create_one, range(count)))


def test_all_workers_serve_one_database_and_add_up_their_metrics(service: Service) -> None:
    ids = create(service, 50)
    assert sorted(ids) == list(range(1, 51))
    for _ in range(10):
        assert metric(service, CREATED) == 50
    rss = sum(each.memory_info().rss for each in workers(service))
    assert metric(service, "process_resident_memory_bytes") == pytest.approx(rss, rel=0.2)
    assert len(answering(service)) == WORKERS


def test_a_killed_worker_is_replaced_and_its_counts_remain(service: Service) -> None:
    create(service, 30)
    assert metric(service, CREATED) == 30
    started = metric(service, "process_start_time_seconds")
    workers(service)[0].kill()
    assert metric(service, CREATED) == 30
    assert sorted(create(service, 20)) == list(range(31, 51))
    wait_for_all(service)
    assert metric(service, CREATED) == 50
    assert metric(service, "process_start_time_seconds") > started


def test_workers_end_with_a_killed_supervisor(service: Service) -> None:
    service.send(signal.SIGKILL)
    wait_for(lambda: not is_open(service.port))


def test_a_database_that_can_not_be_opened_is_reported_once(tmp_path: Path) -> None:
    done = run_service(tmp_path, database_url=f"sqlite:///{tmp_path}", web_concurrency=WORKERS)
    assert done.returncode == 3
    assert done.stdout.count(b"can't use") == 1
    assert b"Traceback" not in done.stdout + done.stderr
