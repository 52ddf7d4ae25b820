"""What a list is asked for: pages and tags."""

import base64
import json
import re
from collections.abc import Callable, Mapping

from . import errors


def page(query: Mapping[str, str]) -> tuple[int, str]:
    """The page size and the id after which the page begins."""
    try:
        size = float(query.get("size", "100"))
    except ValueError:
        raise errors.coded(9, "invalid size", "size must be a number") from None
    if not size.is_integer() or not 1 <= size <= 1000:
        raise errors.coded(9, "invalid size", "size must be an integer between 1 and 1000")
    if (cursor := query.get("offset")) is None:
        return int(size), ""
    fault = "bad base64 encoding"
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        fault = "bad json encoding"
        return int(size), str(json.loads(text)[0])
    except (ValueError, LookupError, TypeError):
        raise errors.coded(7, "invalid offset", f"'{cursor}' is not a valid offset: {fault}") from None


def tags_filter(query: Mapping[str, str]) -> Callable[[list[str] | None], bool]:
    """`a,b` asks for both tags, `a/b` for either (kong/db/dao/init.lua)."""
    if (text := query.get("tags")) is None:
        return lambda _tags: True
    if not text or ("," in text and "/" in text):
        fault = "invalid filter syntax" if text else "cannot be null"
        raise errors.coded(11, "invalid options", f"invalid option (tags: {fault})", options={"tags": fault})
    wanted, matches = set(re.split("[,/]", text)), all if "," in text else any
    return lambda tags: matches(tag in (tags or ()) for tag in wanted)
