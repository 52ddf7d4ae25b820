"""The headers and path parameters of the operations, as FastAPI documents them."""

from typing import Annotated

from fastapi import Depends, Header, Path
from pydantic import StringConstraints
from pydantic.json_schema import SkipJsonSchema

from service.parsing import KEY_PATTERN
from service.preconditions import TAGS_PATTERN, Precondition, parse_precondition

SessionId = Annotated[int, Path(alias="sessionId", description="The session's id", examples=[1])]
Key = Annotated[
    Annotated[str, StringConstraints(pattern=KEY_PATTERN)] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="A repeated create with the same key returns the same session; for 30 days by default",
    ),
]

_Tags = Annotated[str, StringConstraints(pattern=TAGS_PATTERN)] | SkipJsonSchema[None]
_Date = str | SkipJsonSchema[None]
_IfMatch = Annotated[
    _Tags,
    Header(
        alias="If-Match", description='Proceed only if the current ETag is one of these, in quotes such as "1"'
    ),
]
_IfNoneMatch = Annotated[
    _Tags,
    Header(
        alias="If-None-Match",
        description='Proceed only if the current ETag is none of these, in quotes such as "1"',
    ),
]
_IfUnmodifiedSince = Annotated[
    _Date,
    Header(alias="If-Unmodified-Since", description="Proceed only if the last change is not after this date"),
]
_IfModifiedSince = Annotated[
    _Date, Header(alias="If-Modified-Since", description="Proceed only if the last change is after this date")
]


def _parse_for_read(
    if_match: _IfMatch = None,
    if_unmodified_since: _IfUnmodifiedSince = None,
    if_none_match: _IfNoneMatch = None,
    if_modified_since: _IfModifiedSince = None,
) -> Precondition:
    return parse_precondition(if_match, if_unmodified_since, if_none_match, if_modified_since)


def _parse_for_write(
    if_match: _IfMatch = None,
    if_unmodified_since: _IfUnmodifiedSince = None,
    if_none_match: _IfNoneMatch = None,
) -> Precondition:
    return parse_precondition(if_match, if_unmodified_since, if_none_match, None)


def _parse_for_collection(
    if_match: Annotated[_Tags, Header(alias="If-Match", include_in_schema=False)] = None,
    if_none_match: Annotated[_Tags, Header(alias="If-None-Match", include_in_schema=False)] = None,
) -> Precondition:
    return parse_precondition(if_match, None, if_none_match, None)


ReadPrecondition = Annotated[Precondition, Depends(_parse_for_read)]
WritePrecondition = Annotated[Precondition, Depends(_parse_for_write)]
CollectionPrecondition = Annotated[Precondition, Depends(_parse_for_collection)]
