"""What only shows between two steps of the store."""

import asyncio
from pathlib import Path

from service.records import Claim, NewSession, NumberedSession, SessionFilter
from service.settings import Settings
from service.store import Store
from tests.service.conftest import NewDatabase


def test_a_page_has_the_sessions_that_existed_when_it_began(tmp_path: Path, new_database: NewDatabase) -> None:
    settings = Settings.model_validate({"database_url": new_database(tmp_path)})

    async def ids_of_page() -> list[int]:
        store = await Store.open(settings.database_url)
        first, late, last = [(await store.claim_session(Claim(NewSession(1, ""), 1))).session for _ in range(3)]
        for session in (first, last):
            await store.insert_session(NumberedSession(session, None, session.id))
        page = await store.list_sessions(SessionFilter(None, 0), limit=2)
        await store.insert_session(NumberedSession(late, None, late.id))
        await store.close()
        assert page.rest is None
        return [session_id for session_id, _, _ in page.first]

    assert asyncio.run(ids_of_page()) == [1, 3]
