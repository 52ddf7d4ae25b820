"""How an entity is described: its fields are those of the annotated dataclass that a program fills in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from infra.kong.schema.validators import Validator, each, is_tag, secret
from infra.props import UNKNOWN, Failure, Props

if TYPE_CHECKING:
    from pulumi import Input as Input
else:  # at runtime only the validators in annotations are read, and the SDK is most of a provider's start
    Input = Annotated[TypeVar("_Value"), None]

Text = Input[str] | None
Number = Input[int] | None
Flag = Input[bool] | None
Texts = Input[Sequence[Input[str]]] | None
Tags = Annotated[Texts, each(is_tag, unique=True)]

Fields = Mapping[str, tuple[Any, Validator]]
"""Default and validator by name; the default of a required field is `MISSING`."""


def fields_of(args: type) -> Fields:
    """Return the fields of an annotated dataclass."""
    return {
        each_field.name: (
            list(each_field.default) if isinstance(each_field.default, tuple) else each_field.default,
            get_args(each_field.type)[-1],  # what `Annotated` adds to the type
        )
        for each_field in fields(args)
    }


def defaults_of(args: type) -> Props:
    """Return the default of each field."""
    return {name: default for name, (default, _) in fields_of(args).items()}


def fill_defaults(known: Fields, inputs: Props, prefix: str = "") -> tuple[Props, list[Failure]]:
    """Return the known inputs with defaults filled in, and what is wrong with them."""
    failures: list[Failure] = []
    filled: Props = {}
    for name, (default, validate) in known.items():
        value = inputs.get(name)
        if value is None:
            if default is MISSING:
                failures.append(Failure(prefix + name, "is missing"))
            value = None if default is MISSING else default
        elif value != UNKNOWN and (reason := validate(value)):
            failures.append(Failure(prefix + name, reason))
        filled[name] = value
    return filled, failures


@dataclass(frozen=True)
class Entity:
    """One kind of Kong's entities: its place in the Admin API, and its fields."""

    collection: str
    args: type
    references: Mapping[str, str] = field(default_factory=dict)  # from a field to the collection it refers to
    parent: str | None = None  # the reference that is part of its path
    identity: tuple[str, ...] = ()  # what its id depends on besides the logical name: a change replaces it
    local_fields: frozenset[str] = frozenset()  # those that Kong does not know
    lookup_field: str | None = None  # by which Kong finds it, besides the id
    rename: str = "choose another name"  # the advice if its name is taken
    schema: str | None = None  # its name in `POST /schemas/NAME/validate`
    normalize: Callable[[Props], tuple[Props, list[Failure]]] = lambda filled: (filled, [])

    @cached_property
    def fields(self) -> Fields:
        """The fields by name."""
        return fields_of(self.args)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The names of the fields that are secrets."""
        return frozenset(name for name, (_, validate) in self.fields.items() if validate is secret)

    def fill_defaults(self, inputs: Props) -> tuple[Props, list[Failure]]:
        """Return the inputs with defaults filled in, and everything that is wrong with them."""
        failures = [
            Failure(name, f"unknown field of {self.collection}; known fields: {', '.join(self.fields)}")
            for name in sorted(inputs.keys() - self.fields.keys())
        ]
        filled, invalid = fill_defaults(self.fields, inputs)
        return (filled, failures + invalid) if failures or invalid else self.normalize(filled)
