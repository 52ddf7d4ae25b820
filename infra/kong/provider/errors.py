"""What may go wrong with a call of Kong's Admin API."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

REFERENCED = 4  # kong/db/errors.lua: foreign key violation


class AdminApiError(Exception):
    """The Admin API did not do what was asked.

    ├── AdminApiUnusableError          no call succeeds: what answers is no Kong, or not trusted
    │   ├── AdminApiUnreachableError   nothing answers, or a Kong that is broken: it may pass
    │   └── UnfitKongError             a Kong that is too old, or without a database
    ├── AdminApiDeniedError            the token is missing, wrong, or not allowed to do this
    ├── NameTakenError                 another entity has the name already
    └── InvalidEntityError             Kong refuses a field
    """


class AdminApiUnusableError(AdminApiError):
    """What answers is no Kong, or can't be spoken to as things are configured."""


class AdminApiUnreachableError(AdminApiUnusableError):
    """Nothing answers, or a Kong that is broken: without its database, for example."""


class UnfitKongError(AdminApiUnusableError):
    """A Kong that is too old, or that can't be changed entity by entity."""


class AdminApiDeniedError(AdminApiError):
    """The token is missing, wrong, or not allowed to do this."""


class NameTakenError(AdminApiError):
    """Another entity has the name already."""


class InvalidEntityError(AdminApiError):
    """Kong refuses a field, a reference, or the removal of something that others refer to."""

    def __init__(self, message: str, code: int, fields: Json) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields

    def mistakes(self) -> list[tuple[str, str]]:
        """Each field that is wrong, as a path, with Kong's reason."""
        return list(_mistakes(self.fields, "")) or [("", str(self))]


def _mistakes(told: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, dict):
        for name, more in told.items():
            if name == "@entity":  # a list of what is wrong with fields beside each other
                yield from ((path, str(one)) for one in more)
            else:
                yield from _mistakes(more, f"{path}.{name}".lstrip("."))
    elif isinstance(told, list):
        for index, more in enumerate(told):
            yield from _mistakes(more, f"{path}[{index}]")
    elif told is not None:
        yield path, str(told)
