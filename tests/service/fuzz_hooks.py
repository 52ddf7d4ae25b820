"""Hooks of Schemathesis."""

import re
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import GenerationMode

from service.parsing import KEY_PATTERN
from service.preconditions import TAGS_PATTERN


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _arguments: object) -> None:
    """Keep valid cases valid."""
    headers = case.headers
    key = headers.get("Idempotency-Key", "")
    if re.fullmatch(KEY_PATTERN, key):  # made unique, since with a different request it is rightly refused
        headers["Idempotency-Key"] = f"{uuid4()}-{key[:200]}"
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        for name in (
            "If-Match",
            "If-None-Match",
        ):  # it also tries values of responses
            if not re.fullmatch(TAGS_PATTERN, headers.get(name, "*")):
                del headers[name]
        for name, value in case.query.items():  # 5.0 is an integer in JSON, but text in a URL
            if isinstance(value, float) and value.is_integer():
                case.query[name] = int(value)
