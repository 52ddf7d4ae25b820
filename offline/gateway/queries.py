"""Query parameters of a list: its page, and a filter by tags."""

import base64
import json
import re
from collections.abc import Callable, Mapping

from . import errors


def parse_page(query: Mapping[str, str]) -> tuple[int, str]:
    """Return the size of the page, and the id after which it starts."""
    try:
        size = float(query.get("size", "100"))
    except ValueError:
        raise errors.coded(9, "invalid size", "size must be a number") from None
    if not size.is_integer() or not 1 <= size <= 1000:
        raise errors.coded(9, "invalid size", "size must be an integer between 1 and 1000")
    if (cursor := query.get("offset")) is None:
        return int(size), ""
    reason = "bad base64 encoding"
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        reason = "bad json encoding"
        return int(size), str(json.loads(text)[0])
    except (ValueError, LookupError, TypeError):
        raise errors.coded(7, "invalid offset", f"'{cursor}' is not a valid offset: {reason}") from None


def format_cursor(row_id: str) -> str:
    """Return the `offset` of the page after a row."""
    return base64.urlsafe_b64encode(json.dumps([row_id]).encode()).decode().rstrip("=")


def parse_tags(query: Mapping[str, str]) -> Callable[[list[str] | None], bool]:
    """Return a filter: `a,b` for rows with both tags, `a/b` for rows with either (kong/db/dao/init.lua)."""
    if (text := query.get("tags")) is None:
        return lambda _tags: True
    if not text or ("," in text and "/" in text):
        reason = "invalid filter syntax" if text else "cannot be null"
        raise errors.coded(11, "invalid options", f"invalid option (tags: {reason})", options={"tags": reason})
    wanted, matches = set(re.split("[,/]", text)), all if "," in text else any
    return lambda tags: matches(tag in (tags or ()) for tag in wanted)
