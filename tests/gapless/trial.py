"""Changes to a stack, one after another under a steady load."""

import time
from collections.abc import Sequence

from tests.gapless.changes import Change
from tests.gapless.load import SteadyLoad
from tests.gapless.report import Period, format_table, list_faults
from tests.stack.clone import Clone
from tests.waiting import wait_for

END_SECONDS = 3600


def apply_under_load(
    stack: Clone, changes: Sequence[Change], *, rate: float, quiet_seconds: float, requests: int = 0
) -> tuple[str, list[str]]:
    """Apply changes one after another under load; return the table, and what is wrong.

    It continues until that number of requests was sent, then looks for each answered write.
    """
    periods = []
    with SteadyLoad(stack.proxy, rate) as load:
        for change in changes:
            time.sleep(quiet_seconds)
            print(f"{change.name} …", flush=True)
            began = time.monotonic()
            change.apply()
            periods.append(Period(change, began, time.monotonic(), quiet_seconds))
        time.sleep(quiet_seconds)
        wait_for(lambda: len(load.samples) >= requests, END_SECONDS)
    return format_table(periods, load.samples), list_faults(periods, load.samples) + load.list_lost()
