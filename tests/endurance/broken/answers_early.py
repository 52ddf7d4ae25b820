"""A service that is broken on purpose: its writer answers 5 ms before the commit."""

import time

from service import store
from service.__main__ import serve
from service.app import create_app
from service.batches import Batches, _answer, _work


class EarlyBatches(Batches):
    def _run(self) -> None:
        while batch := self._gather():
            with self._engine.begin() as db:
                _work(db, batch)
                self._loop.call_soon_threadsafe(_answer, batch)
                time.sleep(0.005)


if __name__ == "__main__":
    vars(store)["Batches"] = EarlyBatches
    serve(create_app())
