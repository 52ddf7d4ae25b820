"""What a provider answers while what it offers is loaded."""

import asyncio
from threading import Event

from infra.plugin import Offer
from infra.plugin.protocol import provider_pb2
from infra.plugin.provider import Provider
from infra.plugin.values import to_struct
from infra.props import Props


def test_the_config_is_checked_before_the_offer_is_loaded_and_set_after() -> None:
    is_loaded, configured = Event(), list[Props]()

    def load() -> Offer:
        assert is_loaded.wait(30)
        return Offer({}, {}, configured.append)

    async def configure() -> None:
        provider, config = Provider("1.0.0", load), to_struct({"url": "http://localhost"})
        checked = await provider.CheckConfig(provider_pb2.CheckRequest(news=config), None)
        assert checked.inputs == config
        configuring = asyncio.create_task(provider.Configure(provider_pb2.ConfigureRequest(args=config), None))
        done, _ = await asyncio.wait([configuring], timeout=0.1)
        assert not done
        is_loaded.set()
        await configuring

    asyncio.run(asyncio.wait_for(configure(), 30))
    assert configured == [{"url": "http://localhost"}]
