"""What the store takes and gives."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import NamedTuple

from service.preconditions import Precondition


class Session(NamedTuple):
    """A session as clients know it; its sequence number stays in the database."""

    id: int
    user_id: int
    context: str
    version: int
    modified_at: int | None  # seconds since 1970; unknown for a session of an early release


class NewSession(NamedTuple):
    user_id: int
    context: str
    key: str | None = None  # the client's Idempotency-Key

    @property
    def fingerprint(self) -> str:
        """The same for each request that means the same."""
        return sha256(f"{self.user_id} {self.context}".encode()).hexdigest()


class Claim(NamedTuple):
    """The wish to make a session; a key is kept from other requests for so many seconds."""

    new: NewSession
    seconds: float


class Claimed(NamedTuple):
    """The session to be, or the one that the key's first request made."""

    session: Session
    is_made: bool


class UsedKey(NamedTuple):
    """An Idempotency-Key, and when the claim of its last create ended."""

    key: str
    claimed_until: float


class NumberedSession(NamedTuple):
    session: Session
    key: str | None
    sequence_number: int


class Change(NamedTuple):
    """A session's next context, or its end without one, if the precondition holds."""

    session_id: int
    context: str | None
    precondition: Precondition


class Query(NamedTuple):
    """Sessions, of one user or of all, whose ids are after one and not past another."""

    user_id: int | None
    after: int
    until: int = 2**63 - 1


class Page(NamedTuple):
    """Sessions in chunks of bounded size, and the id after which the next page begins if there is one."""

    chunks: AsyncIterator[list[Session]]
    next_after: int | None
