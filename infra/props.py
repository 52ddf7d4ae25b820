"""Property values as plain JSON, as the program, the providers and the rules see them."""

from dataclasses import dataclass
from typing import Any

from pulumi.runtime import rpc

Props = dict[str, Any]
"""JSON values by property name, with `UNKNOWN` for what a preview can't know yet."""

UNKNOWN = rpc.UNKNOWN
"""Stands in a preview for a value that only an `up` will know. The engine sends it as this string."""


@dataclass(frozen=True)
class Failure:
    """One input that `check` refuses."""

    property: str
    reason: str


def is_known(value: object) -> bool:
    """Whether there is nothing unknown in a value."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    return value != UNKNOWN
