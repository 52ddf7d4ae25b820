"""Database work in batches: a thread takes all that is waiting and does it in one transaction."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
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

# Does all items in the given transaction and returns an outcome for each, in order: a result, or an error of that
# item alone. It touches nothing but the transaction, since it may be called again after a rollback.
Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Connection, Sequence[Item]], Sequence[Result | ServiceError]]

_CAPACITY = 1024  # pending items; past it a quick refusal serves a client better
_BATCH = 256  # items in a transaction; more gain nothing, and each waits longer


@dataclass(eq=False, slots=True)
class _Pending:
    work: Work[Any, Any]
    item: Any
    done: asyncio.Future[Any]
    outcome: Any = None


class BatchExecutor:
    """Runs work on one thread, over one connection at a time; created and used in one event loop."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        files: DatabaseFiles | None = None,
        take_turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`files` are those of a SQLite database: results count only while they are the ones that were opened.

        A transaction begins in its turn among the processes that share the database.
        """
        self._engine = engine
        self._files = files
        self._take_turn = take_turn
        self._loop = asyncio.get_running_loop()
        self._pending: SimpleQueue[_Pending | None] = SimpleQueue()
        metrics.queue_depth.labels(name).set_function(self._pending.qsize)
        self._batch_size = metrics.batch_size.labels(name)
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    async def submit(self, work: Work[Item, Result], item: Item) -> Result:
        """Do the work on this item, and return the result once its transaction is durable.

        An item that fails is undone alone; the others of its batch are done. Raises StoreBusyError at once if too
        many items are pending, StoreUnavailableError if the database fails, and the error of this item.
        """
        # Only the event loop's thread puts, so the size can't grow between the test and the put.
        if self._pending.qsize() >= _CAPACITY:
            raise StoreBusyError
        done: asyncio.Future[Result] = self._loop.create_future()
        self._pending.put(_Pending(work, item, done))
        return await done

    async def close(self) -> None:
        """Finish all pending work, then stop."""
        self._pending.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while batch := self._gather():
            self._batch_size.observe(len(batch))
            self._commit(batch)
            self._loop.call_soon_threadsafe(_resolve, batch)

    def _gather(self) -> list[_Pending]:
        """Wait for at least one item and take all that are pending; return none once this is closed."""
        batch: list[_Pending] = []
        while (one := self._pending.get()) is not None:
            batch.append(one)
            if len(batch) == _BATCH or self._pending.empty():
                return batch
        self._pending.put(None)  # for the next call
        return batch

    def _commit(self, batch: list[_Pending]) -> None:
        """Set each outcome after the commit: a result, or the error because of which it was rolled back."""
        try:
            try:
                self._run_in_transaction(batch)
            except _RolledBackError as failure:
                if not is_stale(failure.__cause__):
                    raise
                self._engine.dispose()  # the other connections are stale too
                self._run_in_transaction(batch)
        except _RolledBackError as failure:
            if len(batch) == 1 or is_unavailable(failure.__cause__):
                _set_error(batch, failure.__cause__)
                return
            for one in batch:  # to find the items that fail
                self._commit([one])
        except Exception as error:  # noqa: BLE001 - the clients that wait must get an answer, whatever it is
            _set_error(batch, error)

    def _run_in_transaction(self, batch: Sequence[_Pending]) -> None:
        with self._take_turn(), self._engine.begin() as db:
            try:
                _execute(db, batch)
            except Exception as error:
                if is_stale(error):
                    db.invalidate()
                if self._files is not None and is_damage(error):
                    self._files.report(str(error))
                raise _RolledBackError from error
        if self._files is not None:
            self._files.check()


class _RolledBackError(Exception):
    """The work failed before the commit, because of the error that is the cause of this one."""


def _execute(db: Connection, batch: Iterable[_Pending]) -> None:
    by_work = sorted(batch, key=lambda one: id(one.work))
    for _, group in groupby(by_work, key=lambda one: id(one.work)):
        same = list(group)
        outcomes = same[0].work(db, [one.item for one in same])
        for one, outcome in zip(same, outcomes, strict=True):
            one.outcome = outcome


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
