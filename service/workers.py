"""Several processes that serve on one port, below uvicorn's supervisor, which replaces one that dies."""

import logging
import os
import signal
import sys
import tempfile
import threading
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service import logs
from service.app import create_app
from service.database import DatabaseNotOpenedError, is_read_only, open_database
from service.settings import Settings

# Processes that share a busy machine may need long to start, or to answer their supervisor.
_HUNG_SECONDS = 60

log = logging.getLogger(__name__)


class _Supervisor(Multiprocess):
    """Lets the workers serve for a while after SIGTERM, as the server of a single process does."""

    def __init__(self, config: Config, stop_delay_seconds: float) -> None:
        super().__init__(config, [config.bind_socket()])
        self._stop_delay_seconds = stop_delay_seconds

    def handle_term(self) -> None:
        timer = threading.Timer(self._stop_delay_seconds, super().handle_term)
        timer.daemon = True
        timer.start()

    def terminate_all(self) -> None:
        for each in self.sockets:
            each.close()  # or the kernel would still accept connections, which nobody serves
        super().terminate_all()


def serve(settings: Settings, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
    """Serve with several workers until SIGTERM. Exits with uvicorn's status if the database can't be opened."""
    try:
        engine = open_database(settings.database_url)  # which creates or migrates it once, for all workers
    except DatabaseNotOpenedError as error:
        log.error("%s", error)  # noqa: TRY400 - its message says it all
        sys.exit(STARTUP_FAILURE)
    workers = 1 if is_read_only(engine) else settings.web_concurrency
    engine.dispose()
    with tempfile.TemporaryDirectory(prefix="session-context-") as folder:
        app = partial(_create_worker, settings, Path(folder))
        config = Config(app, factory=True, workers=workers, timeout_worker_healthcheck=_HUNG_SECONDS, **options)
        supervisor = _Supervisor(config, settings.stop_delay_seconds)
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _create_worker(settings: Settings, metrics_folder: Path) -> FastAPI:
    """Create the app in a worker, which stops if its supervisor was killed."""
    logs.configure(settings.log_level)
    threading.Thread(target=_stop_with_supervisor, daemon=True).start()
    return create_app(settings, metrics_folder)


def _stop_with_supervisor() -> None:
    supervisor = parent_process()
    if supervisor is not None:
        wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
