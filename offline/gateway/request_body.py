"""Request bodies of the Admin API: JSON, and forms, whose texts are converted by field."""

import json
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from . import errors
from .schema import Field, Row, convert

FieldsFor = Callable[[Row], Mapping[str, Field]]  # the fields that a body may have


async def read_body(request: web.Request, fields_for: FieldsFor) -> Row | None:
    """Return the body as a row, with a form's texts converted; None if Kong does not accept its type."""
    kind = request.headers.get("Content-Type", "").lower()
    if not kind:
        return {} if not await request.read() else None
    if kind.startswith("application/json"):
        try:
            body = json.loads(await request.read())
        except ValueError:
            raise errors.plain(400, "Cannot parse JSON body") from None
        if isinstance(body, list) and not body:
            return {}
        if not isinstance(body, dict):
            raise errors.plain(500, "An unexpected error occurred")
        return body
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = _nest((key, str(value)) for key, value in (await request.post()).items())
        return convert(fields_for(form), form)
    return None


def _nest(pairs: Iterable[tuple[str, str]]) -> Row:
    """Unfold a form's keys: `a.b` nests; `a[]`, `a[1]` and a repeated `a` make lists (kong/api/arguments.lua)."""
    body: Row = {}
    for key, value in pairs:
        *parents, last = key.split(".")
        inside = body
        for parent in parents:
            inside = inside.setdefault(parent, {})
        name, bracket, _ = last.partition("[")
        if name in inside:
            before = inside[name]
            inside[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            inside[name] = [value] if bracket else value
    return body
