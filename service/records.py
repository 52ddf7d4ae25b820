"""The values that the store takes and returns. Times are in seconds since 1970."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import NamedTuple

from service.preconditions import Precondition


class Session(NamedTuple):
    """A session as clients see it; its sequence number stays in the database."""

    id: int
    user_id: int
    context: str
    version: int
    modified_at: int | None  # None for a session of the first release that has not changed since


class NewSession(NamedTuple):
    """A session to create."""

    user_id: int
    context: str
    key: str | None = None  # the client's Idempotency-Key

    @property
    def fingerprint(self) -> str:
        """A hash that equal requests share."""
        return sha256(f"{self.user_id} {self.context}".encode()).hexdigest()


class Claim(NamedTuple):
    """A session to create, whose key no other request can use for `seconds`."""

    new: NewSession
    seconds: float


class ClaimedSession(NamedTuple):
    """A session with its final id: yet to be inserted, or what an earlier request with its key created."""

    session: Session
    exists: bool


class UsedKey(NamedTuple):
    """An Idempotency-Key, and when its last claim ends."""

    key: str
    claimed_until: float


class NumberedSession(NamedTuple):
    """A session to insert, with its sequence number."""

    session: Session
    key: str | None
    sequence_number: int


class Change(NamedTuple):
    """A new context for a session, or without one its deletion; made only if the precondition holds."""

    session_id: int
    context: str | None
    precondition: Precondition


class SessionFilter(NamedTuple):
    """The sessions of one user, or of all, whose ids are greater than `after` and at most `until`."""

    user_id: int | None
    after: int
    until: int = 2**63 - 1


class Page(NamedTuple):
    """Sessions in chunks of bounded size, and the id after which the next page begins, if there is one."""

    chunks: AsyncIterator[list[Session]]
    next_after: int | None
