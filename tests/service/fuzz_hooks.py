"""What Schemathesis does before each call."""

import re
from itertools import count
from typing import Any

import schemathesis

from service.payloads import KEY_PATTERN

_numbers = count()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _arguments: object) -> None:
    """Use each key once: a valid request is rightly refused when its key came with another."""
    headers = case.headers
    if re.fullmatch(KEY_PATTERN, headers.get("Idempotency-Key", "")):
        headers["Idempotency-Key"] = f"{headers['Idempotency-Key'][:200]}{next(_numbers)}"
