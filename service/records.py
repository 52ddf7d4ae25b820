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


# A session in a list: its id, its user's id and its context. Names would cost each row a fifth more.
ListedSession = tuple[int, int, str]


class Chunk(NamedTuple):
    """Consecutive sessions of a list: at least one if there are any."""

    sessions: list[ListedSession]
    is_last: bool  # if known


class Page(NamedTuple):
    """The first sessions, those that follow, if any, in chunks of bounded size, and where the next page begins."""

    first: list[ListedSession]
    rest: AsyncIterator[list[ListedSession]] | None
    next_after: int | None  # the id after which it begins, if there is one
