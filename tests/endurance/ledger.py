"""Writers that record the answers they got, and checks of a database against them."""

import asyncio
import itertools
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import aiohttp

WRITERS = 32


class Stored(NamedTuple):
    """A session as found: the tag is that of its create, the version grows with each update."""

    id: int
    tag: str
    version: int


@dataclass
class Ledger:
    """What was asked and answered. Each create has a unique tag, which starts every context of its session."""

    asked: set[str] = field(default_factory=set)
    created: dict[str, int] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    answers: int = 0

    def note(self, tag: str, session_id: int, version: int) -> None:
        """Record that a write was answered."""
        self.created[tag] = session_id
        self.versions[session_id] = version
        self.answers += 1

    def faults(self, found: list[Stored]) -> list[str]:
        """Return the errors of the sessions that were found, one per line."""
        by_id = {session.id: session for session in found}
        faults = []
        for tag, session_id in self.created.items():
            stored = by_id.get(session_id)
            # A write that was not answered may be there too.
            if stored is None or stored.tag != tag or stored.version < self.versions[session_id]:
                version = self.versions[session_id]
                faults.append(f"lost: session {session_id}, {tag} version {version}, found {stored}")
        times = Counter(session.tag for session in found)
        faults += [f"twice: {tag}" for tag, count in times.items() if count > 1]
        faults += [f"invented: {tag}" for tag in times.keys() - self.asked]
        return faults


async def write_for_ever(url: str, ledger: Ledger, name: str, *, padding: int = 0) -> None:
    """Create and update sessions from many connections until each of them breaks."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as http:
        await asyncio.gather(*(_writer(http, ledger, f"{name}-{number}", padding) for number in range(WRITERS)))


async def _writer(http: aiohttp.ClientSession, ledger: Ledger, name: str, padding: int) -> None:
    for number in itertools.count():
        tag = f"{name}-{number}"
        ledger.asked.add(tag)
        try:
            session_id = await create(http, ledger, tag, padding)
            body = {"context": build_context(tag, 1, padding)}
            async with http.put(f"/sessions/{session_id}", json=body) as answer:
                assert answer.status == 200, answer.status
                await answer.read()
            ledger.note(tag, session_id, 1)
        except (aiohttp.ClientError, OSError):
            return  # the service was killed


async def create(http: aiohttp.ClientSession, ledger: Ledger, tag: str, padding: int = 0) -> int:
    """Create the session of this tag, which is also its Idempotency-Key."""
    body = {"userId": 1, "context": build_context(tag, 0, padding)}
    async with http.post("/sessions", json=body, headers={"Idempotency-Key": tag}) as answer:
        assert answer.status == 201, answer.status
        session_id: int = (await answer.json())["sessionId"]
    ledger.note(tag, session_id, 0)
    return session_id


async def repeat_creates(url: str, ledger: Ledger, name: str) -> list[str]:
    """Repeat creates, as a client that got no answer; return the errors of the answers."""
    faults = []
    async with aiohttp.ClientSession(url) as http:
        for tag in sorted(tag for tag in ledger.asked if tag.startswith(f"{name}-")):
            before = ledger.created.get(tag)
            if before is None or tag.endswith("0"):  # all that were not answered, and a tenth of the others
                body = {"userId": 1, "context": build_context(tag, 0, 0)}
                async with http.post("/sessions", json=body, headers={"Idempotency-Key": tag}) as answer:
                    if answer.status != 201 or before not in {None, (await answer.json())["sessionId"]}:
                        faults.append(f"another session for the key {tag}: {await answer.text()}")
    return faults


def build_context(tag: str, version: int, padding: int = 0) -> str:
    """Return the context of a version of the session of this tag."""
    return f"{tag} {version} " + "x" * random.randint(0, padding)  # noqa: S311 - no secret


def stored(session_id: int, context: str) -> Stored:
    tag, version = context.split(" ")[:2]
    return Stored(session_id, tag, int(version))


def read_database(file: Path) -> tuple[list[Stored], list[str]]:
    """Return the sessions in the file, and the errors of the file itself."""
    db = sqlite3.connect(file)
    try:
        faults = [f"integrity: {line}" for (line,) in db.execute("PRAGMA integrity_check") if line != "ok"]
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sessions'").fetchone():
            return [], faults
        rows = db.execute("SELECT id, context, sequence_number FROM sessions").fetchall()
    except sqlite3.DatabaseError as error:
        return [], [f"not a database any more: {error}"]
    finally:
        db.close()
    numbers = Counter(number for _, _, number in rows)
    faults += [f"number {number} was given {times} times" for number, times in numbers.items() if times > 1]
    faults += ["a session has no number"] * numbers[None]
    return [stored(session_id, context) for session_id, context, _ in rows], faults
