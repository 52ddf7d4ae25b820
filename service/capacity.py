"""What clients share: places for requests, and memory for bodies.

A client that sends its body or reads its response slowly does not count against the limit of the others. If there
are too many of them, or their bodies fill the memory, the slowest is dropped. So a client that keeps up doesn't
notice them.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from itertools import chain

from service import metrics

# What a client is credited with at first, so that the slowest is not the one that has just begun.
_CREDIT_BYTES, _CREDIT_SECONDS = 1024, 1.0


class Transfer(ABC):
    """A request's body on its way from the client, or a response's on its way to it."""

    __slots__ = ("begun", "held_bytes", "is_dropped", "moved_bytes")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.is_dropped = False

    def begin(self) -> None:
        """Start to measure the client's speed."""
        self.moved_bytes = _CREDIT_BYTES
        self.begun = time.monotonic() - _CREDIT_SECONDS

    @abstractmethod
    def drop(self) -> None:
        """Stop the transfer, which no longer counts."""


class Capacity:
    """The places and the memory that are taken. Used in one event loop."""

    def __init__(self, max_requests: int, max_held_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_held_bytes = max_held_bytes
        self._arriving: dict[Transfer, None] = {}
        self._sending: dict[Transfer, None] = {}
        self.requests = 0
        self.held_bytes = 0

    @property
    def is_full(self) -> bool:
        return self.requests > self._max_requests or self.held_bytes > self._max_held_bytes

    def add_arriving(self, transfer: Transfer) -> None:
        transfer.begin()
        self._arriving[transfer] = None
        if len(self._arriving) > self._max_requests:
            # Most bodies are there already, and removed at once. What is still here after that has to wait.
            asyncio.get_running_loop().call_soon(self._limit_arriving)

    def remove_arriving(self, transfer: Transfer) -> None:
        self._arriving.pop(transfer, None)

    def add_sending(self, transfer: Transfer) -> None:
        if transfer not in self._sending:
            transfer.begin()
            self._sending[transfer] = None

    def hold(self, transfer: Transfer, count: int) -> None:
        """Count bytes of a body in memory; a negative number when they are no longer there."""
        if transfer.is_dropped:
            return
        transfer.held_bytes += count
        self.held_bytes += count
        while self.held_bytes > self._max_held_bytes:
            holding = [one for one in chain(self._arriving, self._sending) if one.held_bytes]
            if not holding:
                return
            self._drop_slowest(holding)

    def remove(self, transfer: Transfer) -> None:
        """Forget a transfer and what it holds."""
        self._arriving.pop(transfer, None)
        self._sending.pop(transfer, None)
        self.held_bytes -= transfer.held_bytes
        transfer.held_bytes = 0

    def _limit_arriving(self) -> None:
        while len(self._arriving) > self._max_requests:
            self._drop_slowest(list(self._arriving))

    def _drop_slowest(self, transfers: list[Transfer]) -> None:
        now = time.monotonic()
        slowest = min(transfers, key=lambda one: one.moved_bytes / (now - one.begun))
        self.remove(slowest)
        slowest.is_dropped = True
        metrics.refused.inc()
        slowest.drop()
