"""How to wait for something: in a loop of attempts."""

import time
from collections.abc import Iterator

PAUSE_SECONDS = 0.2


def attempts(seconds: float) -> Iterator[None]:
    """Yield at once, and then five times a second until the time is over."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        yield
