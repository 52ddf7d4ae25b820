"""The rules: how a session is created, read, changed and deleted."""

from contextlib import suppress
from typing import TYPE_CHECKING

from service.preconditions import Precondition
from service.problems import PreconditionFailedError, UnavailableError
from service.records import Change, Claim, NewSession, NumberedSession, Page, Session, SessionFilter
from service.store import Store

if TYPE_CHECKING:
    from service.sequencer import Sequencer

# What a create may take besides the peer's call: a write waits 5 s for the lock. Past that, its process has died.
SECONDS_BESIDE_THE_PEER = 6.0


class Sessions:
    """What clients can do with sessions.

    Every method raises UnavailableError if the database or the peer fails, and then leaves nothing behind. Where
    a session is named it raises SessionNotFoundError, and with a precondition PreconditionFailedError.
    """

    def __init__(self, store: Store, sequencer: "Sequencer | None", sequencer_seconds: float) -> None:
        self._store = store
        self._sequencer = sequencer
        self._claim_seconds = sequencer_seconds + SECONDS_BESIDE_THE_PEER

    async def create_session(self, new: NewSession) -> Session:
        """Create a durable session with a sequence number of its own; at most one for each key.

        A key that was used before returns the session as it was created, whatever has happened to it since. Raises
        KeyInUseError, and InvalidRequestError if the key belongs to a different request.
        """
        claim = Claim(new, self._claim_seconds)
        if self._sequencer is None:
            return await self._store.create_session(claim)
        if new.key is None:  # with a key the session may exist, and then needs no peer
            self._sequencer.require_available()
        # The id is allocated for good before the peer gets it, and no transaction waits for the peer.
        session, exists = await self._store.claim_session(claim)
        if exists:
            return session
        try:
            number = await self._sequencer.request_number(session.id)
            return await self._store.insert_session(NumberedSession(session, new.key, number))
        except UnavailableError:
            if new.key is not None:
                with suppress(UnavailableError):  # the claim expires anyway
                    await self._store.release_key(new.key)
            raise

    async def list_sessions(self, chosen: SessionFilter, limit: int | None) -> Page:
        """List sessions by id, in chunks. One that is created meanwhile may or may not be included."""
        return await self._store.list_sessions(chosen, limit)

    async def update_context(self, session_id: int, context: str | None, precondition: Precondition) -> Session:
        """Set the context, which makes a new version; None changes nothing."""
        if context is not None:
            return await self._store.change_session(Change(session_id, context, precondition))
        session = await self._store.get_session(session_id)
        if precondition.fails_write(session.version, session.modified_at):
            raise PreconditionFailedError
        return session

    async def get_session(self, session_id: int) -> Session:
        return await self._store.get_session(session_id)

    async def delete_session(self, session_id: int, precondition: Precondition) -> None:
        """Delete a session for good: neither its id nor its number is used again."""
        await self._store.change_session(Change(session_id, None, precondition))

    async def check(self) -> dict[str, str]:
        """Return the state of the database and of the sequencer. Raises StoreUnavailableError."""
        database = await self._store.check()
        return {"database": database, "sequencer": self._sequencer.state if self._sequencer else "embedded"}
