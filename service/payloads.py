"""JSON in and out: what clients send and get. camelCase lives only here."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticKnownError

from service import records

INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_PAST_64_BITS = 2.0**64

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, json_schema_extra={"format": "int64"})]
# Not every database can store NUL. A lone surrogate is no text at all, and the parser refuses it.
Context = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]

_SESSION_ID: int = Field(examples=[1])
_USER_ID: int = Field(description="Owner's user id", examples=[7])
_CONTEXT: str = Field(examples=["hello"])


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel)


def _convert_exact_float(value: object, info: ValidationInfo) -> object:
    """Convert a JSON number such as 5.0 to the integer that it stands for, unless a float has rounded it."""
    if not isinstance(value, float) or not value.is_integer() or abs(value) >= _PAST_64_BITS:
        return value
    try:
        exact = json.loads(info.context or b"{}", parse_float=Decimal).get("userId")
    except (ArithmeticError, ValueError, RecursionError):  # another number in the body, which Python can't hold
        return value
    return int(value) if exact == int(value) else value


class SessionRequest(_Payload):
    """A new session."""

    user_id: Annotated[Int64, BeforeValidator(_convert_exact_float)] = _USER_ID  # to JSON Schema 5.0 is an integer
    context: Context = Field(default="", description="Any text", examples=["hello"])


class SessionUpdateRequest(_Payload):
    """Without a context it changes nothing; with an empty one it clears the context."""

    context: Context = Field(default_factory=str, description="Any text", examples=["hello again"])

    @property
    def new_context(self) -> str | None:
        return self.context if "context" in self.model_fields_set else None


def _require_decimal(value: object) -> object:
    if isinstance(value, str) and not INTEGER.fullmatch(value):
        raise PydanticKnownError("int_parsing")
    return value


DecimalString = BeforeValidator(_require_decimal)


class ListQuery(BaseModel):
    """Which sessions to list. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    user_id: Annotated[Int64, DecimalString] | SkipJsonSchema[None] = Field(
        default=None, description="Only this user's sessions"
    )
    limit: Annotated[int, Field(ge=1, le=1000), DecimalString] | SkipJsonSchema[None] = Field(
        default=None, description="Maximum number of sessions; `Link` points to the next page. Default: all"
    )
    after: Annotated[int, Field(ge=0, le=2**63 - 1, json_schema_extra={"format": "int64"}), DecimalString] = Field(
        default=0, description="Only sessions with an id greater than this"
    )


class SessionResponse(_Payload):
    """The current state of a session."""

    session_id: Int64 = _SESSION_ID
    user_id: Int64 = _USER_ID
    context: str = _CONTEXT


class Session(SessionResponse):
    """A session in the list."""


class SessionContextResponse(_Payload):
    """The context of a session, exactly as it was stored."""

    session_id: Int64 = _SESSION_ID
    context: str = _CONTEXT


# These encode what the models above declare, in half the time that instances of the models would take.
def encode_session(session: records.Session) -> bytes:
    """Encode a SessionResponse."""
    return orjson.dumps({"sessionId": session.id, "userId": session.user_id, "context": session.context})


def encode_sessions(sessions: Iterable[records.ListedSession]) -> bytes:
    """Encode an array of Session."""
    rows = [
        {"sessionId": session_id, "userId": user_id, "context": context}
        for session_id, user_id, context in sessions
    ]
    return orjson.dumps(rows)


def encode_context(session: records.Session) -> bytes:
    """Encode a SessionContextResponse."""
    return orjson.dumps({"sessionId": session.id, "context": session.context})
