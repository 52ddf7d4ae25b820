"""Rounds of many writers and a `kill -9`, after which every acknowledged write must be there."""

import asyncio
import random
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.endurance.ledger import Ledger, read_database, repeat_creates, stored, write_for_ever
from tests.service.processes import Service, running


@dataclass(frozen=True)
class Round:
    """The result of one round."""

    number: int
    killed_after: float
    answers: int
    sessions: int
    faults: list[str]


async def kill_round(folder: Path, ledger: Ledger, number: int, module: str = "service") -> Round:
    """Write, kill, restart and check; the ledger and the folder are kept from round to round."""
    before = ledger.answers
    killed_after = random.uniform(0.02, 1.0)  # noqa: S311 - no secret
    with running(Service(folder, module)) as service:
        writing = asyncio.create_task(write_for_ever(service.url, ledger, f"round-{number}"))
        await asyncio.sleep(killed_after)
        service.send(signal.SIGKILL)
        await writing
    with running(Service(folder, module)) as service:
        repeated = await repeat_creates(service.url, ledger, f"round-{number}")
        listed = [stored(session["sessionId"], session["context"]) for session in service.list()]
    found, faults = read_database(folder / "sessions.db")
    faults += repeated
    if sorted(found) != listed:
        faults.append("the list is not what is in the database")
    return Round(number, killed_after, ledger.answers - before, len(found), faults + ledger.faults(listed))
