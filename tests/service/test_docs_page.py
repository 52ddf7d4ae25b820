"""The docs page in a real browser, whose only network is this host."""

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

from tests.service.browser import Page, browser
from tests.service.processes import Service, running

OPERATIONS = ("createSession", "listSessions", "getSession", "updateSession", "deleteSession", "getSessionContext")


async def try_out(page: Page, operation: str, **fields: str) -> tuple[int, str]:
    """Fill in the form of an operation and execute it; return the response that the page shows."""
    form = f"#operations-Sessions-{operation}"
    await page.click(f"{form} .opblock-summary-control")
    for name, value in fields.items():
        row = "textarea.body-param__text" if name == "body" else f'tr[data-param-name="{name}"] input'
        await page.type(f"{form} {row}", value)
    await page.click(f"{form} .execute")
    answer = f"{form} .live-responses-table .response"
    status = await page.wait_for(f"document.querySelector('{answer} .response-col_status')?.innerText")
    await shoot(page, operation)
    return int(status.split()[0]), await page.evaluate(f"document.querySelector('{answer}').innerText")


async def shoot(page: Page, name: str) -> None:
    """Save a screenshot for manual inspection if SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        shot: dict[str, Any] = await page.call("Page.captureScreenshot", captureBeyondViewport=True)
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def test_a_session_is_created_read_changed_and_deleted_by_clicking(tmp_path: Path) -> None:
    async def use(service: Service) -> list[str]:
        async with browser(tmp_path / "profile") as page:
            await page.open(f"{service.url}/docs")
            await page.wait_for("document.querySelector('.opblock') !== null")
            await shoot(page, "page")
            shown = await page.evaluate("document.body.innerText")
            for operation in OPERATIONS:
                assert await page.evaluate(f"document.querySelector('#operations-Sessions-{operation}') !== null")
            assert "Authorize" not in shown
            assert await page.evaluate("document.querySelector('.servers select').innerText") == (
                f"{service.url} - This server"
            )
            status, answer = await try_out(page, "createSession", body='{"userId": 7, "context": "by clicking"}')
            assert (status, "/sessions/1" in answer) == (201, True)
            status, answer = await try_out(page, "getSession", sessionId="1")
            assert (status, "by clicking" in answer, '"1"' in answer) == (200, True, True)
            change = {"sessionId": "1", "If-Match": '"1"', "body": '{"context": "changed"}'}
            status, answer = await try_out(page, "updateSession", **change)
            assert (status, "changed" in answer) == (200, True)
            assert (await try_out(page, "deleteSession", sessionId="1"))[0] == 204
            return page.log

    with running(Service(tmp_path)) as service:
        assert asyncio.run(use(service)) == []
        assert service.list() == []
        assert "unsafe-eval" not in service.request("GET", "/docs").headers["Content-Security-Policy"]


def test_the_page_asks_for_a_key_if_the_gateway_expects_one(tmp_path: Path) -> None:
    async def use(service: Service) -> None:
        async with browser(tmp_path / "profile") as page:
            await page.open(f"{service.url}/docs")
            await page.click(".btn.authorize")
            await page.wait_for("document.querySelector('.auth-container')?.innerText.includes('apikey')")
            await shoot(page, "authorize")

    with running(Service(tmp_path, api_key_header="apikey")) as service:
        asyncio.run(use(service))
