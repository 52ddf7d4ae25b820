"""The rules: how a session comes to be, changes, and is read."""

from collections.abc import AsyncIterator

from service.sequencer import Sequencer
from service.store import NewSession, Session, Store


class Sessions:
    """What clients can do with sessions.

    Every method raises UnavailableError when the database or the peer does not do its part in time; then
    nothing is left behind.
    """

    def __init__(self, store: Store, sequencer: Sequencer | None) -> None:
        self._store = store
        self._sequencer = sequencer

    async def create_session(self, user_id: int, context: str) -> Session:
        """A new session, durable and with a sequence number of its own."""
        if self._sequencer is None:
            return await self._store.create_session(NewSession(user_id, context))
        self._sequencer.require_available()
        # The id is allotted for good before the peer hears of it, and no transaction waits for the peer.
        session = Session(await self._store.allot_session_id(), user_id, context)
        sequence_number = await self._sequencer.next_number(session.id)
        return await self._store.insert_session(session, sequence_number)

    def list_sessions(self) -> AsyncIterator[list[Session]]:
        """All sessions by id, in pieces. One that is created meanwhile may be among them or not."""
        return self._store.list_sessions()

    async def update_context(self, session_id: int, context: str | None) -> Session:
        """The session with this context, or as it is without one; SessionNotFoundError when there is none."""
        if context is None:
            return await self._store.get_session(session_id)
        return await self._store.update_context(session_id, context)

    async def get_session(self, session_id: int) -> Session:
        """The session; SessionNotFoundError when there is none."""
        return await self._store.get_session(session_id)

    async def check(self) -> dict[str, str]:
        """What each part says of itself; StoreUnavailableError when sessions can't be served."""
        await self._store.check()
        return {"database": "ok", "sequencer": self._sequencer.state if self._sequencer else "embedded"}
