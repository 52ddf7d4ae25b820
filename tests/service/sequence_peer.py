"""A stand-in for the Central Sequence Service that counts, or misbehaves: `python sequence_peer.py PORT`.

`POST /behave {"as": NAME}` chooses the behavior, `GET /calls` lists the bodies of all calls.
"""

import asyncio
import json
import sys
from itertools import count

from aiohttp import web

numbers = count(1)
calls: list[object] = []
ids: dict[str, str] = {}
behavior = "well"

WRONG_ANSWERS = {
    "200 instead of 201": (200, b'{"sequenceNumber": 7}'),
    "500": (500, b'{"sequenceNumber": 7}'),
    "redirect": (307, b""),
    "not JSON": (201, b"<html>"),
    "not UTF-8": (201, b'{"sequenceNumber": "\xff"}'),
    "no number": (201, b"{}"),
    "null": (201, b'{"sequenceNumber": null}'),
    "a string": (201, b'{"sequenceNumber": "7"}'),
    "a bool": (201, b'{"sequenceNumber": true}'),
    "a fraction": (201, b'{"sequenceNumber": 7.5}'),
    "beyond 64 bits": (201, b'{"sequenceNumber": 9223372036854775808}'),
    "a list": (201, b"[7]"),
    "huge": (201, b'{"sequenceNumber": 7, "more": "' + b"x" * 10_000_000 + b'"}'),
}


async def sequence(request: web.Request) -> web.StreamResponse:
    calls.append(await request.json())
    ids.update({name: request.headers.get(name, "") for name in ("x-request-id", "traceparent")})
    if behavior in WRONG_ANSWERS:
        status, body = WRONG_ANSWERS[behavior]
        return web.Response(status=status, body=body, headers={"Location": "/sequence"})
    match behavior:
        case "slow":
            await asyncio.sleep(0.5)
        case "hangs":
            await asyncio.sleep(60)
        case "trickles":
            response = web.StreamResponse(status=201)
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
        case "resets":
            assert request.transport is not None
            request.transport.abort()
        case "resets after the effect":
            next(numbers)
            assert request.transport is not None
            request.transport.abort()
        case other if other.startswith("repeats "):
            return web.json_response({"sequenceNumber": int(other.split()[1])}, status=201)
    return web.json_response({"sequenceNumber": next(numbers)}, status=201)


async def behave(request: web.Request) -> web.Response:
    global behavior
    behavior = (await request.json())["as"]
    return web.Response()


async def show_headers(_: web.Request) -> web.Response:
    return web.json_response(ids)


async def show_calls(_: web.Request) -> web.Response:
    return web.Response(text=json.dumps(calls), content_type="application/json")


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post("/sequence", sequence), web.post("/behave", behave)])
    app.add_routes([web.get("/calls", show_calls), web.get("/headers", show_headers)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, handler_cancellation=True)
