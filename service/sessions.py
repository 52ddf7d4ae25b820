"""The rules: how a session comes to be, changes, is read, and goes."""

from contextlib import suppress
from typing import TYPE_CHECKING

from service.preconditions import Precondition
from service.problems import PreconditionFailedError, UnavailableError
from service.records import Change, Claim, NewSession, NumberedSession, Page, Query, Session
from service.store import Store

if TYPE_CHECKING:
    from service.sequencer import Sequencer

# What a create may take beside the peer's call: a write waits five for the lock. Longer, and its process is gone.
_SECONDS_BESIDE_THE_PEER = 6.0


class Sessions:
    """What clients can do with sessions.

    Every method raises UnavailableError when the database or the peer does not do its part in time; then
    nothing is left behind. Where a session is named, SessionNotFoundError when there is none; with a
    precondition, PreconditionFailedError when it does not hold.
    """

    def __init__(self, store: Store, sequencer: "Sequencer | None", sequencer_seconds: float) -> None:
        self._store = store
        self._sequencer = sequencer
        self._claim_seconds = sequencer_seconds + _SECONDS_BESIDE_THE_PEER

    async def create_session(self, new: NewSession) -> Session:
        """A new session, durable and with a sequence number of its own; one for each key.

        A key that was used before gives the session as it was made, whatever became of it since; or
        KeyInUseError, or InvalidRequestError when it came with another request.
        """
        claim = Claim(new, self._claim_seconds)
        if self._sequencer is None:
            return await self._store.create_session(claim)
        if new.key is None:  # a key that was used needs no peer
            self._sequencer.require_available()
        # The id is allotted for good before the peer hears of it, and no transaction waits for the peer.
        session, is_made = await self._store.claim_session(claim)
        if is_made:
            return session
        try:
            number = await self._sequencer.next_number(session.id)
            return await self._store.insert_session(NumberedSession(session, new.key, number))
        except UnavailableError:
            if new.key is not None:
                with suppress(UnavailableError):  # the claim ends by itself
                    await self._store.release_key(new.key)
            raise

    async def list_sessions(self, query: Query, limit: int | None) -> Page:
        """Sessions by id, in chunks. One that is created meanwhile may be among them or not."""
        return await self._store.list_sessions(query, limit)

    async def update_context(self, session_id: int, context: str | None, precondition: Precondition) -> Session:
        """The session with this context in a new version, or as it is without a context."""
        if context is not None:
            return await self._store.change_session(Change(session_id, context, precondition))
        session = await self._store.get_session(session_id)
        if precondition.fails_write(session.version, session.modified_at):
            raise PreconditionFailedError
        return session

    async def get_session(self, session_id: int) -> Session:
        """The session."""
        return await self._store.get_session(session_id)

    async def delete_session(self, session_id: int, precondition: Precondition) -> None:
        """The session goes; its id and its number are never used again."""
        await self._store.change_session(Change(session_id, None, precondition))

    async def check(self) -> dict[str, str]:
        """What each part says of itself; StoreUnavailableError when sessions can't be served."""
        database = await self._store.check()
        return {"database": database, "sequencer": self._sequencer.state if self._sequencer else "embedded"}
