"""What a rule looks at, and what a rule is."""

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
    """By the input's name: the URNs of the resources that its value comes from."""

    @property
    def in_prod(self) -> bool:
        """Whether its stack serves the public: it is named prod, or prod- and more."""
        return PROD.fullmatch(self.urn.removeprefix("urn:pulumi:").partition("::")[0]) is not None

    def given(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """An input; None when it is left out, `UNKNOWN` when only an `up` will know it."""
        return self.inputs.get(name)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that each resource of some types keeps by itself."""

    name: str
    description: str
    types: frozenset[str]
    check: Callable[[Declared], Iterator[str]]

    def broken(self, resource: Declared) -> list[str]:
        """What to do about each way in which a resource breaks the rule."""
        return list(self.check(resource)) if resource.type in self.types else []


@dataclass(frozen=True, kw_only=True)
class StackRule:
    """A rule about how resources fit together."""

    name: str
    description: str
    check: Callable[[Sequence[Declared]], Iterator[tuple[str, str]]]

    def broken(self, stack: Sequence[Declared]) -> list[tuple[str, str]]:
        """The URN of each resource that breaks the rule, and what to do about it."""
        return list(self.check(stack))
