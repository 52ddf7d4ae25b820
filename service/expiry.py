"""Removes expired Idempotency-Keys in the background, a few at a time."""

import asyncio
import time

from service import metrics
from service.problems import UnavailableError
from service.store import Store

_SECONDS_PER_DAY = 86_400
_STEP_SECONDS = 0.25  # between two reads of a few keys; a million take 20 minutes
_PAUSE_SECONDS = 5  # after the last key


async def remove_expired_keys(store: Store, days: float) -> None:
    """Scan all keys over and over, until cancelled."""
    # Setting the clock while the process runs must not expire keys.
    seconds_ahead = time.time() - time.monotonic()
    after = ""
    while True:
        expired_before = time.monotonic() + seconds_ahead - days * _SECONDS_PER_DAY
        try:
            keys = await store.list_keys(after)
            expired = [key for key, claimed_until in keys if claimed_until < expired_before]
            if expired:
                await store.remove_keys(expired, expired_before)
                metrics.keys_removed.inc(len(expired))
        except UnavailableError:
            keys = []  # start over later
        after = keys[-1][0] if keys else ""
        await asyncio.sleep(_STEP_SECONDS if keys else _PAUSE_SECONDS)
