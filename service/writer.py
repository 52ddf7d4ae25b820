"""The one writer: a thread that gathers waiting writes and commits many in one transaction."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from service import metrics
from service.problems import StoreUnavailableError, WriterBusyError

# A write of one kind: does all items in the given transaction and returns one result for each, in order.
# It may be run again after a rollback, so it touches nothing but the transaction.
Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Connection, Sequence[Item]], Sequence[Result]]

_CAPACITY = 1024  # waiting writes; past it a client is better off with a quick refusal
_GROUP = 256  # writes in one transaction; more no longer pays, and lengthens the wait of each


@dataclass(eq=False, slots=True)
class _Write:
    work: Work[Any, Any]
    item: Any
    done: asyncio.Future[Any]
    outcome: Any = None


class Writer:
    """Makes writes durable, in groups; started in, and used from, one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Write | None] = SimpleQueue()
        metrics.queue_depth.set_function(self._waiting.qsize)
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    async def write(self, work: Work[Item, Result], item: Item) -> Result:
        """The result of the work on this item, once its transaction is durable.

        An item that fails is undone alone: others in its group are not touched.
        Raises WriterBusyError at once when too many writes wait, StoreUnavailableError when the database
        does not take it, and whatever the work raises on this item.
        """
        # Only the event loop's thread puts, so nothing comes between the look and the put.
        if self._waiting.qsize() >= _CAPACITY:
            raise WriterBusyError
        done: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.put(_Write(work, item, done))
        return await done

    async def close(self) -> None:
        """Finish what waits, then stop."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while group := self._gather():
            metrics.batch_size.observe(len(group))
            self._commit(group)
            self._loop.call_soon_threadsafe(_answer, group)

    def _gather(self) -> list[_Write]:
        """What waits, at least one; nothing once the writer is closed."""
        group: list[_Write] = []
        while (write := self._waiting.get()) is not None:
            group.append(write)
            if len(group) == _GROUP or self._waiting.empty():
                return group
        self._waiting.put(None)  # closed, and stays so for the next call
        return group

    def _commit(self, group: list[_Write]) -> None:
        """Give each write its outcome, after the commit: a result, or the exception that undid it."""
        try:
            with self._engine.begin() as db:
                try:
                    _work(db, group)
                except Exception as error:
                    raise _UndoneError from error
        except _UndoneError as undone:
            if len(group) == 1:
                _fail(group, undone.__cause__)
                return
            for write in group:
                self._commit([write])
        except Exception as error:  # noqa: BLE001 - whatever it is, the clients must hear of it
            _fail(group, error)


class _UndoneError(Exception):
    """The work failed, before anything was committed; its cause says why."""


def _work(db: Connection, group: Iterable[_Write]) -> None:
    by_kind = sorted(group, key=lambda write: id(write.work))
    for _, writes in groupby(by_kind, key=lambda write: id(write.work)):
        same = list(writes)
        results = same[0].work(db, [write.item for write in same])
        for write, result in zip(same, results, strict=True):
            write.outcome = result


def _fail(group: Iterable[_Write], error: BaseException | None) -> None:
    if isinstance(error, OperationalError):
        metrics.database_errors.inc()
        error = StoreUnavailableError(str(error.orig))
    for write in group:
        write.outcome = error


def _answer(group: Iterable[_Write]) -> None:
    for write in group:
        if write.done.done():  # its request was cancelled
            continue
        if isinstance(write.outcome, BaseException):
            write.done.set_exception(write.outcome)
        else:
            write.done.set_result(write.outcome)
