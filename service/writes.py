"""The writes. Each function does a batch of one kind, in a transaction that holds the write lock."""

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
from service.records import Change, Claim, ClaimedSession, NumberedSession, Session
from service.tables import counters, idempotency_keys, sessions

_ALLOCATE = (
    update(counters)
    .values(
        last_session_id=counters.c.last_session_id + bindparam("ids"),
        last_sequence_number=counters.c.last_sequence_number + bindparam("numbers"),
    )
    .returning(counters.c.last_session_id, counters.c.last_sequence_number)
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
_FIND_KEY = select(idempotency_keys).where(_OF_KEY)
_INSERT_KEY = insert(idempotency_keys)
_SET_CLAIM = update(idempotency_keys).where(_OF_KEY).values(claimed_until=bindparam("until"))
_SET_MADE = update(idempotency_keys).where(_OF_KEY).values(made_at=bindparam("now"))
_DELETE_KEY = delete(idempotency_keys).where(
    _OF_KEY, idempotency_keys.c.claimed_until < bindparam("claimed_before")
)


class _Key(NamedTuple):
    """A row of the table; `made_at` is None until the session is inserted."""

    key: str
    fingerprint: str
    session_id: int
    claimed_until: float
    made_at: int | None


def create_sessions(db: Connection, items: Sequence[Claim]) -> list[Session | ServiceError]:
    """Insert sessions with the next ids and the next of the database's own sequence numbers."""
    claims, numbers = _claim_sessions(db, items, numbers_per_id=1)
    to_insert = [
        (claim.session, item.new.key)
        for claim, item in zip(claims, items, strict=True)
        if isinstance(claim, ClaimedSession) and not claim.exists
    ]
    if missing := len(to_insert) - len(numbers):  # for keys whose first request failed after it had an id
        numbers += _allocate(db, 0, missing)[1]
    numbered = [NumberedSession(*one, number) for one, number in zip(to_insert, numbers, strict=True)]
    inserted = {session.id: session for session in insert_sessions(db, numbered)}
    return [
        claim if isinstance(claim, ServiceError) else inserted.get(claim.session.id, claim.session)
        for claim in claims
    ]


def claim_sessions(db: Connection, items: Sequence[Claim]) -> list[ClaimedSession | ServiceError]:
    """Allocate an id for each session, unless its key has one already."""
    return _claim_sessions(db, items, numbers_per_id=0)[0]


def _claim_sessions(
    db: Connection, items: Sequence[Claim], numbers_per_id: int
) -> tuple[list[ClaimedSession | ServiceError], list[int]]:
    """Claim each session; return with them the sequence numbers that were allocated together with new ids."""
    now = time.time()
    known = _find_keys(db, (item.new.key for item in items))
    fresh_keys = {item.new.key for item in items} - {None} - known.keys()
    count = sum(item.new.key is None for item in items) + len(fresh_keys)
    new_ids, numbers = _allocate(db, count, count * numbers_per_id)
    ids = iter(new_ids)
    claimed: dict[str, _Key] = {}
    outcomes: list[ClaimedSession | ServiceError] = []
    for new, seconds in items:
        row = known.get(new.key) if new.key else None
        if row is not None and row.fingerprint != new.fingerprint:
            message = "This key was already used with a different request"
            outcomes.append(invalid_header("Idempotency-Key", message, "key_reused"))
            continue
        # A claim that ends later than any made now can end comes from a clock that was ahead: it has expired.
        if row is not None and row.made_at is None and now < row.claimed_until <= now + seconds:
            outcomes.append(KeyInUseError())
            continue
        session_id = row.session_id if row else next(ids)
        made_at = row.made_at if row else None
        session = Session(session_id, new.user_id, new.context, 1, made_at)
        outcomes.append(ClaimedSession(session, exists=made_at is not None))
        if new.key and made_at is None:
            claimed[new.key] = known[new.key] = _Key(new.key, new.fingerprint, session_id, now + seconds, None)
    execute(db, _INSERT_KEY, [row._asdict() for key, row in claimed.items() if key in fresh_keys])
    _set_claims(db, [(key, row.claimed_until) for key, row in claimed.items() if key not in fresh_keys])
    return outcomes, numbers


def _allocate(db: Connection, ids: int, numbers: int) -> tuple[list[int], list[int]]:
    """Allocate this many ids and sequence numbers. None is ever allocated twice."""
    [[(last_id, last_number)]] = query(db, _ALLOCATE, [{"ids": ids, "numbers": numbers}])
    return (
        list(range(last_id - ids + 1, last_id + 1)),
        list(range(last_number - numbers + 1, last_number + 1)),
    )


def release_keys(db: Connection, items: Sequence[str]) -> list[None]:
    """End the claims of these keys, so that the next request with one can create its session."""
    _set_claims(db, [(key, time.time()) for key in items])
    return [None] * len(items)


def remove_keys(db: Connection, items: Sequence[tuple[Sequence[str], float]]) -> list[None]:
    """Forget those of the keys that were not claimed again."""
    for keys, claimed_before in items:
        execute(db, _DELETE_KEY, [{"k": key, "claimed_before": claimed_before} for key in keys])
    return [None] * len(items)


def insert_sessions(db: Connection, items: Sequence[NumberedSession]) -> list[Session]:
    """Insert the sessions, except those that a faster request with the same key has inserted."""
    now = int(time.time())
    known = _find_keys(db, (item.key for item in items))
    inserted, rows, keys = [], [], []
    for session, key, number in items:
        made_at = known[key].made_at if key else None
        inserted.append(session._replace(modified_at=made_at or now))
        if made_at is None:
            rows.append({**inserted[-1]._asdict(), "sequence_number": number})
            keys += [{"k": key, "now": now}] if key else []
    execute(db, _INSERT, rows)
    execute(db, _SET_MADE, keys)
    return inserted


def change_sessions(db: Connection, items: Sequence[Change]) -> list[Session | ServiceError]:
    """Return each session as its change left it; a deleted one as it was, without its context."""
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
    rows = [_Key._make(row) for found in query(db, _FIND_KEY, wanted) for row in found]
    return {row.key: row for row in rows}


def _set_claims(db: Connection, claims: Sequence[tuple[str, float]]) -> None:
    execute(db, _SET_CLAIM, [{"k": key, "until": until} for key, until in claims])
