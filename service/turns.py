"""Turns of lists: one chunk is read at a time, so that a list never delays another request by more than that."""

import asyncio
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple, ParamSpec, TypeVar

from service.problems import StoreBusyError

P = ParamSpec("P")
Result = TypeVar("Result")

_CAPACITY = 1024  # lists that wait; past it a quick refusal serves a client better
_Waiting = list[tuple[int, asyncio.Future[None]]]


class Ticket(NamedTuple):
    """The place of a list in the order."""

    number: int
    is_page: bool


class Turns:
    """Lets lists read in turns; created and used in one event loop.

    The oldest list whose client keeps up goes first, so that a few make progress while the others wait in order.
    Pages have every other turn, since each has few chunks.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._numbers = count()
        self._pages: _Waiting = []
        self._lists: _Waiting = []
        self._is_page_next = False
        self._is_taken = False

    def join(self, *, is_page: bool) -> Ticket:
        """Return the ticket of a new list. Raises StoreBusyError if too many are waiting."""
        if len(self._pages) + len(self._lists) >= _CAPACITY:
            raise StoreBusyError
        return Ticket(next(self._numbers), is_page)

    async def take(
        self, ticket: Ticket, read: Callable[P, Awaitable[Result]], *args: P.args, **options: P.kwargs
    ) -> Result:
        """Read a chunk when it is the turn of this list."""
        if self._is_taken:
            await self._wait(ticket)
        self._is_taken = True
        try:
            return await read(*args, **options)
        finally:
            self._loop.call_soon(self._pass_on)  # after all other requests that can run now

    async def _wait(self, ticket: Ticket) -> None:
        turn = self._loop.create_future()
        heappush(self._pages if ticket.is_page else self._lists, (ticket.number, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        self._is_page_next = not self._is_page_next
        for waiting in (self._pages, self._lists) if self._is_page_next else (self._lists, self._pages):
            while waiting:
                _, turn = heappop(waiting)
                if not turn.done():
                    turn.set_result(None)
                    return
        self._is_taken = False
