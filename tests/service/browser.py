"""A headless Chromium whose only network is this host, controlled by its DevTools protocol."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self

import aiohttp

from local.debian import find_program
from tests.ports import free_port

_SECONDS = 30


class Page:
    """A page, and what it logged."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self.log: list[str] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_SECONDS):
            while True:
                message = json.loads(await self._socket.receive_str())
                if message.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                    self.log.append(json.dumps(message["params"]))
                if message.get("id") == number:
                    result: dict[str, Any] = message["result"]
                    return result

    async def evaluate(self, script: str) -> Any:  # noqa: ANN401 - JSON
        """Evaluate an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> Any:  # noqa: ANN401 - JSON
        """Evaluate the expression until it is true."""
        value = None
        for _ in range(_SECONDS * 20):
            if value := await self.evaluate(script):
                break
            await asyncio.sleep(0.05)
        assert value, f"never true: {script}"
        return value

    async def open(self, url: str) -> Self:
        await self.call("Page.enable")
        await self.call("Log.enable")
        await self.call("Runtime.enable")
        await self.call("Page.navigate", url=url)
        return self

    async def click(self, selector: str) -> None:
        """Click the element as soon as it is there."""
        await self.wait_for(f"document.querySelector({selector!r}) !== null")
        await self.evaluate(f"document.querySelector({selector!r}).click()")

    async def type(self, selector: str, text: str) -> None:
        """Replace the value of a field, as typing does."""
        await self.wait_for(f"document.querySelector({selector!r}) !== null")
        script = f"document.querySelector({selector!r}).focus(), document.querySelector({selector!r}).select()"
        await self.evaluate(script)
        await self.call("Input.insertText", text=text)
        await self.evaluate("document.activeElement.blur()")


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """Yield an empty page of a browser with its profile in the folder."""
    port = free_port()
    command = [
        find_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder}", f"--remote-debugging-port={port}", "--window-size=1200,1600",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank",
    ]  # fmt: skip
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=nowhere, stderr=nowhere)
    try:
        async with aiohttp.ClientSession(trust_env=False) as http:
            socket = await http.ws_connect(await _first_page(http, port), max_msg_size=0)
            yield Page(socket)
    finally:
        process.terminate()
        await process.wait()


async def _first_page(http: aiohttp.ClientSession, port: int) -> str:
    async with asyncio.timeout(_SECONDS):
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}/json") as answer:
                    pages = [target for target in await answer.json() if target["type"] == "page"]
            except aiohttp.ClientConnectionError:
                pages = []
            if pages:
                address: str = pages[0]["webSocketDebuggerUrl"]
                return address
            await asyncio.sleep(0.05)
