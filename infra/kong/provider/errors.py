"""The errors of Kong's Admin API."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

REFERENCED = 4  # kong/db/errors.lua: foreign key violation


class AdminApiError(Exception):
    """A call of the Admin API failed.

    ├── AdminApiUnusableError          no call succeeds: not Kong, or not trusted
    │   ├── AdminApiUnreachableError   no response, or Kong itself is broken; may be temporary
    │   └── UnsupportedKongError       Kong is too old, or has no database
    ├── AdminApiDeniedError            the token is missing, wrong, or lacks permission
    ├── NameTakenError                 another entity has the name
    └── InvalidEntityError             Kong rejects a field, or a deletion
    """


class AdminApiUnusableError(AdminApiError):
    """The server is not Kong, or can't be used with this configuration."""


class AdminApiUnreachableError(AdminApiUnusableError):
    """No response, or Kong itself is broken, for example without its database."""


class UnsupportedKongError(AdminApiUnusableError):
    """Kong is too old, or has no database."""


class AdminApiDeniedError(AdminApiError):
    """The token is missing, wrong, or lacks permission."""


class NameTakenError(AdminApiError):
    """Another entity has the name."""


class InvalidEntityError(AdminApiError):
    """Kong rejects a field, a reference, or the deletion of an entity that others refer to."""

    def __init__(self, message: str, code: int, fields: Json) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields

    def field_errors(self) -> list[tuple[str, str]]:
        """Return the path of each invalid field, with Kong's reason."""
        return list(_flatten(self.fields, "")) or [("", str(self))]


def _flatten(errors: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(errors, dict):
        for name, nested in errors.items():
            if name == "@entity":  # a list of errors about several fields together
                yield from ((path, str(reason)) for reason in nested)
            else:
                yield from _flatten(nested, f"{path}.{name}".lstrip("."))
    elif isinstance(errors, list):
        for index, nested in enumerate(errors):
            yield from _flatten(nested, f"{path}[{index}]")
    elif errors is not None:
        yield path, str(errors)
