"""The fields of Kong's entities: read off the annotated dataclasses that a program fills in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Annotated, Any, get_args

from pulumi import Input

from infra.kong.schema.validators import Rule, each, is_tag
from infra.props import UNKNOWN, Failure, Props

Text = Input[str] | None
Number = Input[int] | None
Flag = Input[bool] | None
Texts = Input[Sequence[Input[str]]] | None
Tags = Annotated[Texts, each(is_tag, once=True)]


def fields_of(args: type) -> dict[str, tuple[Any, Rule]]:
    """Default and rule of each field, by name; `MISSING` is the default of what must be given."""
    return {
        field.name: (
            list(field.default) if isinstance(field.default, tuple) else field.default,
            get_args(field.type)[1],  # what `Annotated` adds to the type
        )
        for field in fields(args)
    }


def defaults_of(args: type) -> Props:
    """What each field is when nothing is given."""
    return {name: default for name, (default, _) in fields_of(args).items()}


def complete(known: Mapping[str, tuple[Any, Rule]], inputs: Props, below: str = "") -> tuple[Props, list[Failure]]:
    """The inputs of known fields, each default filled in, and what is wrong with them."""
    failures: list[Failure] = []
    filled: Props = {}
    for key, (default, rule) in known.items():
        value = inputs.get(key)
        if value is None:
            if default is MISSING:
                failures.append(Failure(below + key, "is missing"))
            value = None if default is MISSING else default
        elif value != UNKNOWN and (reason := rule(value)):
            failures.append(Failure(below + key, reason))
        filled[key] = value
    return filled, failures


@dataclass(frozen=True)
class Entity:
    """One of Kong's entities: where it lives in the Admin API and what it is made of."""

    collection: str
    args: type
    references: Mapping[str, str] | None = None  # field -> collection it points into
    below: str | None = None  # the reference to the entity that this one lives below
    identity: tuple[str, ...] = ()  # what the id is made of besides the logical name: to change it is to replace
    local: frozenset[str] = frozenset()  # fields that Kong doesn't know
    secrets: frozenset[str] = frozenset()
    unique: str | None = None  # the field by which Kong finds the entity, too
    schema: str | None = None  # what its rules are called in the Admin API
    finish: Callable[[Props], tuple[Props, list[Failure]]] = lambda filled: (filled, [])

    @cached_property
    def fields(self) -> dict[str, tuple[Any, Rule]]:
        """Default and rule of each field, by name; `MISSING` is the default of what must be given."""
        return fields_of(self.args)

    def complete(self, inputs: Props) -> tuple[Props, list[Failure]]:
        """The inputs with every default filled in, and all that is wrong with them."""
        failures = [
            Failure(key, f"{self.collection} have no such field; there are {', '.join(self.fields)}")
            for key in sorted(inputs.keys() - self.fields.keys())
        ]
        filled, wrong = complete(self.fields, inputs)
        return (filled, failures + wrong) if failures or wrong else self.finish(filled)
