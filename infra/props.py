"""Property values as plain JSON, for the program, the providers and the policies."""

from dataclasses import dataclass
from typing import Any

Props = dict[str, Any]
"""JSON values by property name, with `UNKNOWN` for those that a preview can't know yet."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that only an `up` will know, as the engine sends it in a preview: Pulumi's `UnknownStringValue`."""


@dataclass(frozen=True)
class Failure:
    """An invalid input."""

    property: str
    reason: str


def is_known(value: object) -> bool:
    """Return whether a value contains nothing unknown."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    return value != UNKNOWN
