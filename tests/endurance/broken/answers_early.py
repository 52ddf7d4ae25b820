"""A service that is broken on purpose: its writer answers 5 ms before the commit."""

import time

from service import store
from service.__main__ import serve
from service.app import create_app
from service.batches import BatchExecutor, _execute, _resolve


class EarlyExecutor(BatchExecutor):
    def _run(self) -> None:
        while batch := self._gather():
            with self._engine.begin() as db:
                _execute(db, batch)
                self._loop.call_soon_threadsafe(_resolve, batch)
                time.sleep(0.005)


if __name__ == "__main__":
    vars(store)["BatchExecutor"] = EarlyExecutor
    serve(create_app())
