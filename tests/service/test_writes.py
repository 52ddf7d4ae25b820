"""Batches of writes, as several requests at once cause them, and the rows that they leave."""

from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest
from sqlalchemy import Connection, make_url, select

from service import writes
from service.database import open_database
from service.preconditions import NO_PRECONDITION, Precondition
from service.problems import InvalidRequestError, KeyInUseError, PreconditionFailedError, SessionNotFoundError
from service.records import Change, Claim, ClaimedSession, NewSession, NumberedSession, Session
from service.tables import idempotency_keys, sessions
from tests.service.conftest import NewDatabase

CLAIM_SECONDS = 60.0


@pytest.fixture
def db(tmp_path: Path, new_database: NewDatabase) -> Iterator[Connection]:
    """Yield a transaction on an empty database."""
    engine = open_database(make_url(new_database(tmp_path)))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def claim(
    key: str | None = None, context: str = "c", *, user_id: int = 7, seconds: float = CLAIM_SECONDS
) -> Claim:
    return Claim(NewSession(user_id, context, key), seconds)


def claimed_ids(db: Connection, *claims: Claim) -> list[int | type[Exception]]:
    """Return the id of each claim, or the class of its error."""
    outcomes = writes.claim_sessions(db, claims)
    return [one.session.id if isinstance(one, ClaimedSession) else type(one) for one in outcomes]


def created_ids(db: Connection, *claims: Claim) -> list[int | type[Exception]]:
    """Return the id of each created session, or the class of its error."""
    outcomes = writes.create_sessions(db, claims)
    return [one.id if isinstance(one, Session) else type(one) for one in outcomes]


def change(db: Connection, *changes: Change) -> list[object]:
    """Return what is left of each change: version and context, or the class of its error."""
    outcomes = writes.change_sessions(db, changes)
    return [(one.version, one.context) if isinstance(one, Session) else type(one) for one in outcomes]


def rows(db: Connection) -> list[tuple[int, int, str, int, int]]:
    """Return the id, user, context, sequence number and version of each session."""
    columns = ("id", "user_id", "context", "sequence_number", "version")
    return [tuple(row) for row in db.execute(select(*(sessions.c[name] for name in columns)).order_by("id"))]


def numbered(claimed: Claim, session_id: int, number: int) -> NumberedSession:
    new = claimed.new
    return NumberedSession(Session(session_id, new.user_id, new.context, 1, None), new.key, number)


def test_a_batch_gets_consecutive_ids_and_numbers(db: Connection) -> None:
    first = writes.create_sessions(db, [claim(context="a"), claim(context="b", user_id=-8), claim("k", "c")])
    assert created_ids(db, claim(context="d")) == [4]
    assert rows(db) == [(1, 7, "a", 1, 1), (2, -8, "b", 2, 1), (3, 7, "c", 3, 1), (4, 7, "d", 4, 1)]
    for number, session in enumerate(first, 1):
        assert isinstance(session, Session)
        assert (session.id, session.version) == (number, 1)
        assert time() - 10 < (session.modified_at or 0) <= time()
        stored = select(sessions.c.modified_at).where(sessions.c.id == session.id)
        assert db.scalar(stored) == session.modified_at


def test_a_key_creates_one_session(db: Connection) -> None:
    [created] = writes.create_sessions(db, [claim("k")])
    assert writes.create_sessions(db, [claim("k")]) == [created]
    assert created_ids(db, claim("k"), claim(), claim("k")) == [1, 2, 1]
    assert rows(db) == [(1, 7, "c", 1, 1), (2, 7, "c", 2, 1)]


def test_one_of_two_requests_with_a_key_creates_the_session(db: Connection) -> None:
    assert created_ids(db, claim("k"), claim("k"), claim("other"), claim()) == [1, KeyInUseError, 2, 3]
    assert [number for _, _, _, number, _ in rows(db)] == [1, 2, 3]


@pytest.mark.parametrize("other", [claim("k", "different"), claim("k", user_id=8)])
def test_a_key_of_a_different_request_is_rejected(db: Connection, other: Claim) -> None:
    assert created_ids(db, claim("k")) == [1]
    error, session = writes.create_sessions(db, [other, claim()])
    assert isinstance(error, InvalidRequestError)
    assert error.errors == [
        {
            "loc": ["header", "Idempotency-Key"],
            "msg": "This key was already used with a different request",
            "type": "key_reused",
        }
    ]
    assert isinstance(session, Session)
    assert created_ids(db, claim("k")) == [1]


def test_claims_get_ids_and_create_nothing(db: Connection) -> None:
    first, second = writes.claim_sessions(db, [claim(), claim("k", "x", user_id=8)])
    assert first == ClaimedSession(Session(1, 7, "c", 1, None), exists=False)
    assert second == ClaimedSession(Session(2, 8, "x", 1, None), exists=False)
    assert rows(db) == []
    assert created_ids(db, claim()) == [3]
    assert [number for _, _, _, number, _ in rows(db)] == [1]


def test_a_claim_keeps_its_key_from_others_until_it_ends(db: Connection) -> None:
    assert claimed_ids(db, claim("k")) == [1]
    assert claimed_ids(db, claim("k"), claim("k", "x"), claim()) == [KeyInUseError, InvalidRequestError, 2]
    [until] = db.scalars(select(idempotency_keys.c.claimed_until))
    assert time() < until <= time() + CLAIM_SECONDS


def test_an_expired_claim_is_taken_over_with_its_id(db: Connection) -> None:
    assert claimed_ids(db, claim("k", seconds=0), claim("other")) == [1, 2]
    assert claimed_ids(db, claim("k"), claim()) == [1, 3]
    assert claimed_ids(db, claim("k")) == [KeyInUseError]


def test_a_claim_of_a_clock_that_was_ahead_is_taken_over(db: Connection) -> None:
    assert claimed_ids(db, claim("k", seconds=2 * CLAIM_SECONDS)) == [1]
    assert claimed_ids(db, claim("k")) == [1]


def test_the_session_of_an_expired_claim_gets_the_next_number(db: Connection) -> None:
    assert claimed_ids(db, claim("k", seconds=0)) == [1]
    assert created_ids(db, claim(), claim("k"), claim("new")) == [2, 1, 3]
    assert [(row[0], row[3]) for row in rows(db)] == [(1, 2), (2, 1), (3, 3)]
    assert created_ids(db, claim("k"), claim()) == [1, 4]


def test_a_released_key_can_be_claimed_at_once(db: Connection) -> None:
    assert claimed_ids(db, claim("a"), claim("b"), claim("c")) == [1, 2, 3]
    assert writes.release_keys(db, ["a", "c"]) == [None, None]
    assert claimed_ids(db, claim("a"), claim("b"), claim("c")) == [1, KeyInUseError, 3]


def test_keys_are_removed_unless_they_were_claimed_again(db: Connection) -> None:
    claimed_ids(db, claim("old", seconds=0), claim("new"), claim("kept", seconds=0))
    before = time() + 1
    assert writes.remove_keys(db, [(["old", "new"], before), (["missing"], before)]) == [None, None]
    assert set(db.scalars(select(idempotency_keys.c.key))) == {"new", "kept"}
    assert claimed_ids(db, claim("old", "different")) == [4]


def test_a_session_is_inserted_once_for_its_key(db: Connection) -> None:
    claims = [claim("k"), claim("other"), claim()]
    assert claimed_ids(db, *claims) == [1, 2, 3]
    first = writes.insert_sessions(db, [numbered(claims[0], 1, 10)])
    db.execute(sessions.update().values(modified_at=5))
    db.execute(idempotency_keys.update().where(idempotency_keys.c.key == "k").values(made_at=5))
    late, *others = writes.insert_sessions(db, [numbered(one, i, 10 + i) for i, one in enumerate(claims, 1)])
    assert late == first[0]._replace(modified_at=5)
    assert [one.id for one in others] == [2, 3]
    assert all(time() - 10 < (one.modified_at or 0) <= time() for one in (*first, *others))
    assert [(row[0], row[3]) for row in rows(db)] == [(1, 10), (2, 12), (3, 13)]
    made_at = {row.key: row.made_at for row in db.execute(select(idempotency_keys))}
    assert made_at == {"k": 5, "other": others[0].modified_at}


def test_changes_of_a_batch_are_made_in_order(db: Connection) -> None:
    created_ids(db, claim(context="a"), claim(context="b"), claim(context="c"))
    db.execute(sessions.update().values(modified_at=5))
    outcomes = change(
        db,
        Change(1, "first", NO_PRECONDITION),
        Change(2, None, NO_PRECONDITION),
        Change(1, "second", NO_PRECONDITION),
        Change(2, "lost", NO_PRECONDITION),
        Change(4, "never", NO_PRECONDITION),
    )
    assert outcomes == [(2, "first"), (1, ""), (3, "second"), SessionNotFoundError, SessionNotFoundError]
    assert rows(db) == [(1, 7, "second", 1, 3), (3, 7, "c", 3, 1)]
    changed, kept = db.scalars(select(sessions.c.modified_at).order_by(sessions.c.id))
    assert kept == 5
    assert time() - 10 < changed <= time()


def test_a_session_can_be_changed_and_deleted_in_one_batch(db: Connection) -> None:
    created_ids(db, claim(), claim())
    outcomes = change(db, Change(1, "x", NO_PRECONDITION), Change(1, None, NO_PRECONDITION))
    assert outcomes == [(2, "x"), (2, "x")]
    assert rows(db) == [(2, 7, "c", 2, 1)]


def test_a_deleted_session_is_returned_as_it_was_without_its_context(db: Connection) -> None:
    [created] = writes.create_sessions(db, [claim(user_id=-9)])
    assert isinstance(created, Session)
    [deleted] = writes.change_sessions(db, [Change(created.id, None, NO_PRECONDITION)])
    assert deleted == created._replace(context="")


def test_a_changed_session_keeps_its_user(db: Connection) -> None:
    created_ids(db, claim(user_id=-9))
    [session] = writes.change_sessions(db, [Change(1, "x", NO_PRECONDITION)])
    assert isinstance(session, Session)
    assert (session.id, session.user_id) == (1, -9)
    assert session.modified_at == db.scalar(select(sessions.c.modified_at))


def test_a_precondition_sees_the_changes_before_it(db: Connection) -> None:
    created_ids(db, claim())
    is_first = Precondition(if_match=frozenset({'"1"'}))
    outcomes = change(db, *(Change(1, context, is_first) for context in ("x", "y", None)))
    assert outcomes == [(2, "x"), PreconditionFailedError, PreconditionFailedError]
    assert change(db, Change(1, "z", Precondition(if_unmodified_since=0))) == [PreconditionFailedError]
    db.execute(sessions.update().values(modified_at=5))
    assert change(db, Change(1, "z", Precondition(if_unmodified_since=5))) == [(3, "z")]
    assert rows(db) == [(1, 7, "z", 1, 3)]
