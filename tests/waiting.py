"""One way to wait in tests: for a fact, not for a span of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 30) -> T:
    """Call the condition until its result is true, and return that result; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"still not true after {seconds:g} s: {result!r}"
        time.sleep(0.05)
    return result
