"""A service that is broken on purpose: its writer answers 5 ms before the commit."""

import time

from service import store
from service.__main__ import serve
from service.app import create_app
from service.writer import Writer, _answer, _work


class EarlyWriter(Writer):
    def _run(self) -> None:
        while group := self._gather():
            with self._engine.begin() as db:
                _work(db, group)
                self._loop.call_soon_threadsafe(_answer, group)
                time.sleep(0.005)


if __name__ == "__main__":
    vars(store)["Writer"] = EarlyWriter
    serve(create_app())
