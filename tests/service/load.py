"""Load for tests: clients that call again and again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(call: Callable[[int], object], clients: int = 4) -> Iterator[None]:
    """Call a function over and over on several threads, each with its number, until the end."""
    stopped = threading.Event()

    def repeat(client: int) -> None:
        while not stopped.is_set():
            call(client)

    threads = [threading.Thread(target=repeat, args=[client]) for client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
