"""Clients of a deployed stack that read and create without a pause, and what went wrong for them."""

import threading
import time
from collections.abc import Callable

import requests

from tests.stack.clone import Clone

READERS, CREATORS = 4, 2


class Load:
    """Clients that read and create without a pause."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._done = threading.Event()
        self.reads: list[tuple[float, str]] = []
        self.creates: list[tuple[float, str]] = []
        jobs = [self._read] * READERS + [self._create] * CREATORS
        self._clients = [threading.Thread(target=job) for job in jobs]

    def _read(self) -> None:
        while not self._done.is_set():
            self.reads.append(timed(lambda: self._clone.request("GET", "/sessions?limit=1"), 200))

    def _create(self) -> None:
        session = {"userId": 1, "context": "under load"}
        while not self._done.is_set():
            self.creates.append(timed(lambda: self._clone.request("POST", "/sessions", json=session), 201))

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for client in self._clients:
            client.join()


def timed(request: Callable[[], requests.Response], wanted: int) -> tuple[float, str]:
    """Return the seconds that a request took, and its error."""
    began, wrong = time.monotonic(), ""
    try:
        answer = request()
        if answer.status_code != wanted:
            wrong = f"{answer.status_code} {answer.text}"
    except requests.RequestException as error:
        wrong = repr(error)
    return time.monotonic() - began, wrong


def failures(of: list[tuple[float, str]]) -> list[str]:
    return [wrong for _, wrong in of if wrong]
