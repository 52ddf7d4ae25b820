"""The writes, each a batch of its kind in one transaction that holds the write lock."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from service.driver import execute, query
from service.preconditions import NO_PRECONDITION
from service.problems import (
    KeyInUseError,
    PreconditionFailedError,
    ServiceError,
    SessionNotFoundError,
    invalid_header,
)
from service.records import Change, Claim, Claimed, NumberedSession, Session
from service.tables import allotted, idempotency_keys, sessions

_ALLOCATE = (
    update(allotted)
    .values(
        last_session_id=allotted.c.last_session_id + bindparam("ids"),
        last_sequence_number=allotted.c.last_sequence_number + bindparam("numbers"),
    )
    .returning(allotted.c.last_session_id, allotted.c.last_sequence_number)
)
_INSERT = insert(sessions)
_VERSION = select(sessions.c.id, sessions.c.user_id, sessions.c.version, sessions.c.modified_at).where(
    sessions.c.id == bindparam("session_id")
)
_UPDATE = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"))
    .values(
        context=bindparam("new_context"),
        version=bindparam("new_version"),
        modified_at=bindparam("new_modified_at"),
    )
)
_DELETE = delete(sessions).where(sessions.c.id == bindparam("session_id"))
_OF_KEY = idempotency_keys.c.key == bindparam("k")
_KEY = select(idempotency_keys).where(_OF_KEY)
_NEW_KEY = insert(idempotency_keys)
_CLAIM = update(idempotency_keys).where(_OF_KEY).values(claimed_until=bindparam("until"))
_REMOVE = delete(idempotency_keys).where(_OF_KEY, idempotency_keys.c.claimed_until < bindparam("claimed_before"))
_MADE = update(idempotency_keys).where(_OF_KEY).values(made_at=bindparam("now"))


class _Key(NamedTuple):
    key: str
    fingerprint: str
    session_id: int
    claimed_until: float
    made_at: int | None


def create_sessions(db: Connection, items: Sequence[Claim]) -> list[Session | ServiceError]:
    """Sessions with the next ids and the next of this database's own numbers."""
    claims, numbers = _claim_sessions(db, items, numbers_for_each=1)
    to_make = [
        (claim.session, item.new.key)
        for claim, item in zip(claims, items, strict=True)
        if isinstance(claim, Claimed) and not claim.is_made
    ]
    if lacking := len(to_make) - len(numbers):  # for keys whose first request ended before its session was made
        numbers += _allocate(db, 0, lacking)[1]
    numbered = [NumberedSession(*one, number) for one, number in zip(to_make, numbers, strict=True)]
    made = {session.id: session for session in insert_sessions(db, numbered)}
    return [
        claim if isinstance(claim, ServiceError) else made.get(claim.session.id, claim.session) for claim in claims
    ]


def claim_sessions(db: Connection, items: Sequence[Claim]) -> list[Claimed | ServiceError]:
    """Sessions to be, each with an id that no other had, has or will have; a known key has its own."""
    return _claim_sessions(db, items, numbers_for_each=0)[0]


def _claim_sessions(
    db: Connection, items: Sequence[Claim], numbers_for_each: int
) -> tuple[list[Claimed | ServiceError], list[int]]:
    """What becomes of each, and so many numbers for each new id."""
    now = time.time()
    known = _find_keys(db, (item.new.key for item in items))
    fresh_keys = {item.new.key for item in items} - {None} - known.keys()
    count = sum(item.new.key is None for item in items) + len(fresh_keys)
    new_ids, numbers = _allocate(db, count, count * numbers_for_each)
    ids = iter(new_ids)
    claimed: dict[str, _Key] = {}
    outcomes: list[Claimed | ServiceError] = []
    for new, seconds in items:
        row = known.get(new.key) if new.key else None
        if row is not None and row.fingerprint != new.fingerprint:
            outcomes.append(invalid_header("Idempotency-Key", "It came with another request", "key_reused"))
            continue
        # One that lasts longer than a claim can was made by a clock that was ahead, and is as good as over.
        if row is not None and row.made_at is None and now < row.claimed_until <= now + seconds:
            outcomes.append(KeyInUseError())
            continue
        session_id = row.session_id if row else next(ids)
        made_at = row.made_at if row else None
        outcomes.append(Claimed(Session(session_id, new.user_id, new.context, 1, made_at), made_at is not None))
        if new.key and made_at is None:
            claimed[new.key] = known[new.key] = _Key(new.key, new.fingerprint, session_id, now + seconds, None)
    execute(db, _NEW_KEY, [row._asdict() for key, row in claimed.items() if key in fresh_keys])
    _claim_until(db, [(key, row.claimed_until) for key, row in claimed.items() if key not in fresh_keys])
    return outcomes, numbers


def _allocate(db: Connection, ids: int, numbers: int) -> tuple[list[int], list[int]]:
    """So many ids and so many numbers, each never allotted before."""
    [[(last_id, last_number)]] = query(db, _ALLOCATE, [{"ids": ids, "numbers": numbers}])
    return (
        list(range(last_id - ids + 1, last_id + 1)),
        list(range(last_number - numbers + 1, last_number + 1)),
    )


def release_keys(db: Connection, items: Sequence[str]) -> list[None]:
    """Let the next request with the key go on at once with the session that was not made."""
    _claim_until(db, [(key, time.time()) for key in items])
    return [None] * len(items)


def remove_keys(db: Connection, items: Sequence[tuple[Sequence[str], float]]) -> list[None]:
    """Forget those keys that no create has claimed since."""
    for keys, claimed_before in items:
        execute(db, _REMOVE, [{"k": key, "claimed_before": claimed_before} for key in keys])
    return [None] * len(items)


def insert_sessions(db: Connection, items: Sequence[NumberedSession]) -> list[Session]:
    """The sessions, now visible. One that a faster request with its key has made stays as that made it."""
    now = int(time.time())
    known = _find_keys(db, (item.key for item in items))
    made, rows, keys = [], [], []
    for session, key, number in items:
        made_at = known[key].made_at if key else None
        made.append(session._replace(modified_at=made_at or now))
        if made_at is None:
            rows.append({**made[-1]._asdict(), "sequence_number": number})
            keys += [{"k": key, "now": now}] if key else []
    execute(db, _INSERT, rows)
    execute(db, _MADE, keys)
    return made


def change_sessions(db: Connection, items: Sequence[Change]) -> list[Session | ServiceError]:
    """The sessions as they are after each change; a deleted one as it was, without its context."""
    now = int(time.time())
    wanted = [{"session_id": session_id} for session_id in {change.session_id for change in items}]
    found = {
        session_id: Session(session_id, user_id, "", version, modified_at)
        for rows in query(db, _VERSION, wanted)
        for session_id, user_id, version, modified_at in rows
    }
    changed: dict[int, Session] = {}
    deleted: set[int] = set()
    outcomes: list[Session | ServiceError] = []
    for session_id, context, precondition in items:
        session = found.get(session_id)
        if session is None:
            outcomes.append(SessionNotFoundError())
        elif precondition is not NO_PRECONDITION and precondition.fails_write(
            session.version, session.modified_at
        ):
            outcomes.append(PreconditionFailedError())
        elif context is None:
            deleted.add(session_id)
            changed.pop(session_id, None)
            outcomes.append(found.pop(session_id))
        else:
            session = Session(session_id, session.user_id, context, session.version + 1, now)
            found[session_id] = changed[session_id] = session
            outcomes.append(session)
    execute(db, _UPDATE, [_new_values(session) for session in changed.values()])
    execute(db, _DELETE, [{"session_id": session_id} for session_id in deleted])
    return outcomes


def _new_values(session: Session) -> dict[str, object]:
    return {
        "session_id": session.id,
        "new_context": session.context,
        "new_version": session.version,
        "new_modified_at": session.modified_at,
    }


def _find_keys(db: Connection, keys: Iterable[str | None]) -> dict[str | None, _Key]:
    wanted = [{"k": key} for key in {key for key in keys if key is not None}]
    rows = [_Key._make(row) for found in query(db, _KEY, wanted) for row in found]
    return {row.key: row for row in rows}


def _claim_until(db: Connection, claims: Sequence[tuple[str, float]]) -> None:
    execute(db, _CLAIM, [{"k": key, "until": until} for key, until in claims])
