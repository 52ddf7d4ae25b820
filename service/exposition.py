"""`/metrics`: the metrics of this process, or the sum of those of all workers.

Each worker sends its metrics to the one that is asked, over a socket in a folder that they share. It also leaves
them in a file there, so that what was counted remains when it is killed, and no counter falls.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from service.metrics import registry

_ANSWER_SECONDS = 2
# Times: of the youngest worker, so that each start shows.
_LATEST = ("_created", "_start_time_seconds")


async def show_metrics(request: Request) -> Response:
    """Answer with the metrics in Prometheus' text format."""
    workers: WorkerMetrics | None = request.app.state.worker_metrics
    text = generate_latest(registry) if workers is None else await workers.add_up()
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class WorkerMetrics:
    """The metrics of this worker and of all others with the same folder; used in one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / f"{os.getpid()}.txt"
        self._server: asyncio.Server | None = None

    async def share(self) -> None:
        """Answer the other workers from now on."""
        self._server = await asyncio.start_unix_server(self._answer, self._file.with_suffix(".socket"))

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def add_up(self) -> bytes:
        """Return the sum of the metrics. A worker that doesn't answer counts with its last counters."""
        sockets = sorted(self._folder.glob("*.socket"))
        answers = await asyncio.gather(*map(_ask, sockets))
        alive = [answer for answer in answers if answer is not None]
        files = [path.with_suffix(".txt") for path, answer in zip(sockets, answers, strict=True) if answer is None]
        return generate_latest(_Sum(alive, [file.read_text() for file in files if file.exists()]))

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = generate_latest(registry)
        new = self._file.with_suffix(".new")
        new.write_bytes(text)
        new.replace(self._file)
        writer.write(text)
        writer.close()


async def _ask(path: Path) -> str | None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            text = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return None
    return text.decode()


class _Sum(Collector):
    """The sum of metrics in Prometheus' text format."""

    def __init__(self, alive: Iterable[str], dead: Iterable[str]) -> None:
        self._families: dict[str, Metric] = {}
        self._values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
        for text in alive:
            self._add(text_string_to_metric_families(text))
        for text in dead:
            self._add(family for family in text_string_to_metric_families(text) if family.type != "gauge")

    def _add(self, families: Iterable[Metric]) -> None:
        for family in families:
            self._families.setdefault(family.name, family)
            values = self._values.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, tuple(sample.labels.items()))
                value = values.get(key, 0.0)
                is_time = sample.name.endswith(_LATEST)
                values[key] = max(value, sample.value) if is_time else value + sample.value

    def collect(self) -> Iterator[Metric]:
        for name, family in self._families.items():
            total = Metric(name, family.documentation, family.type)
            for (sample, labels), value in self._values[name].items():
                total.add_sample(sample, dict(labels), value)
            yield total
