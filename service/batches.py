"""Database work in batches: a thread gathers what waits and does it together, in one transaction."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from service import metrics
from service.driver import is_damage, is_stale, is_unavailable
from service.files import DatabaseFiles
from service.problems import ServiceError, StoreBusyError, StoreUnavailableError

# Work of one kind: does all items in the given transaction and returns one outcome for each, in order: a
# result, or the error that is this item's alone. It may be run again after a rollback, so it touches
# nothing but the transaction.
Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Connection, Sequence[Item]], Sequence[Result | ServiceError]]

_CAPACITY = 1024  # waiting items; past it a client is better off with a quick refusal
_BATCH = 256  # items in one transaction; more no longer pays, and lengthens the wait of each


@dataclass(eq=False, slots=True)
class _Pending:
    work: Work[Any, Any]
    item: Any
    done: asyncio.Future[Any]
    outcome: Any = None


class BatchExecutor:
    """One thread and one connection at a time; started in, and used from, one event loop."""

    def __init__(self, engine: Engine, name: str, files: DatabaseFiles | None = None) -> None:
        """Work on files is answered only while they are those that were opened."""
        self._engine = engine
        self._files = files
        self._loop = asyncio.get_running_loop()
        self._pending: SimpleQueue[_Pending | None] = SimpleQueue()
        metrics.queue_depth.labels(name).set_function(self._pending.qsize)
        self._batch_size = metrics.batch_size.labels(name)
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    async def submit(self, work: Work[Item, Result], item: Item) -> Result:
        """The result of the work on this item, once its transaction is durable.

        An item that fails is undone alone: others in its batch are not touched.
        Raises StoreBusyError at once when too many items wait, StoreUnavailableError when the database
        does not take it, and whatever the work raises on this item.
        """
        # Only the event loop's thread puts, so nothing comes between the look and the put.
        if self._pending.qsize() >= _CAPACITY:
            raise StoreBusyError
        done: asyncio.Future[Result] = self._loop.create_future()
        self._pending.put(_Pending(work, item, done))
        return await done

    async def close(self) -> None:
        """Finish what waits, then stop."""
        self._pending.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while batch := self._gather():
            self._batch_size.observe(len(batch))
            self._commit(batch)
            self._loop.call_soon_threadsafe(_resolve, batch)

    def _gather(self) -> list[_Pending]:
        """What waits, at least one; nothing once this is closed."""
        batch: list[_Pending] = []
        while (one := self._pending.get()) is not None:
            batch.append(one)
            if len(batch) == _BATCH or self._pending.empty():
                return batch
        self._pending.put(None)  # closed, and stays so for the next call
        return batch

    def _commit(self, batch: list[_Pending]) -> None:
        """Give each one its outcome, after the commit: a result, or the exception that undid it."""
        try:
            try:
                self._run_in_transaction(batch)
            except _UndoneError as undone:
                if not is_stale(undone.__cause__):
                    raise
                self._engine.dispose()  # the other connections are as old
                self._run_in_transaction(batch)
        except _UndoneError as undone:
            if len(batch) == 1 or is_unavailable(undone.__cause__):  # no item's own doing
                _set_error(batch, undone.__cause__)
                return
            for one in batch:
                self._commit([one])
        except Exception as error:  # noqa: BLE001 - whatever it is, the clients must hear of it
            _set_error(batch, error)

    def _run_in_transaction(self, batch: Sequence[_Pending]) -> None:
        with self._engine.begin() as db:
            try:
                _execute(db, batch)
            except Exception as error:
                if is_stale(error):
                    db.invalidate()
                if self._files is not None and is_damage(error):
                    self._files.report(str(error))
                raise _UndoneError from error
        if self._files is not None:
            self._files.check()


class _UndoneError(Exception):
    """The work failed, before anything was committed; its cause says why."""


def _execute(db: Connection, batch: Iterable[_Pending]) -> None:
    by_kind = sorted(batch, key=lambda one: id(one.work))
    for _, items in groupby(by_kind, key=lambda one: id(one.work)):
        same = list(items)
        results = same[0].work(db, [one.item for one in same])
        for one, result in zip(same, results, strict=True):
            one.outcome = result


def _set_error(batch: Iterable[_Pending], error: BaseException | None) -> None:
    if isinstance(error, DBAPIError) and is_unavailable(error):
        metrics.database_errors.inc()
        error = StoreUnavailableError(str(error.orig))
    for one in batch:
        one.outcome = error


def _resolve(batch: Iterable[_Pending]) -> None:
    for one in batch:
        if one.done.done():  # its request was cancelled
            continue
        if isinstance(one.outcome, BaseException):
            one.done.set_exception(one.outcome)
        else:
            one.done.set_result(one.outcome)
