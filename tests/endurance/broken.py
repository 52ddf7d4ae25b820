"""Services that break their promise on purpose, so that it is seen that the harness can tell."""

import time

from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import Pool

from service import store
from service.app import create_app
from service.writer import Writer, _answer, _work


def answers_before_the_commit() -> FastAPI:
    """The app with a writer that is 5 ms too early."""

    class EarlyWriter(Writer):
        def _run(self) -> None:
            while group := self._gather():
                with self._engine.begin() as db:
                    _work(db, group)
                    self._loop.call_soon_threadsafe(_answer, group)
                    time.sleep(0.005)

    vars(store)["Writer"] = EarlyWriter
    return create_app()


def does_not_sync() -> FastAPI:
    """The app with a database that leaves it to the system when to write to the disk."""

    def leave_it(connection: DBAPIConnection, *_: object) -> None:
        connection.cursor().execute("PRAGMA synchronous = OFF")

    event.listen(Pool, "checkout", leave_it)
    return create_app()
