"""Resources as rules see them, and the rules themselves."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROD = re.compile(r"prod(uction)?([._-].*)?")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A resource as the program declares it."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    protect: bool
    dependencies: Mapping[str, list[str]]
    """By input: the URNs of the resources that its value comes from."""

    @property
    def in_prod(self) -> bool:
        """Whether its stack serves the public: it is named prod, or prod- with a suffix."""
        return PROD.fullmatch(self.urn.removeprefix("urn:pulumi:").partition("::")[0]) is not None

    def get(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return an input: None if it is left out, `UNKNOWN` if only an `up` will know it."""
        return self.inputs.get(name)


@dataclass(frozen=True)
class Rule:
    """A rule for single resources of some types."""

    name: str
    description: str
    types: tuple[str, ...]
    check: Callable[[Declared], Iterator[str]]

    def find_violations(self, resource: Declared) -> list[str]:
        """Return a message for each violation, with what to do about it."""
        return list(self.check(resource)) if resource.type in self.types else []


def rule(name: str, description: str, *types: str) -> Callable[[Callable[[Declared], Iterator[str]]], Rule]:
    """Make a rule of a function that yields the violations of one resource."""
    return lambda check: Rule(name, description, types, check)


@dataclass(frozen=True)
class StackRule:
    """A rule for the resources of a stack together."""

    name: str
    description: str
    find_violations: Callable[[Sequence[Declared]], Iterator[tuple[str, str]]]
    """Yields a URN and a message for each violation, with what to do about it."""


def stack_rule(
    name: str, description: str
) -> Callable[[Callable[[Sequence[Declared]], Iterator[tuple[str, str]]]], StackRule]:
    """Make a rule of a function that yields the violations of a stack."""
    return lambda check: StackRule(name, description, check)
