"""JSON in and out; camelCase lives only here."""

import codecs
import json
import re
from decimal import Decimal
from email.message import Message
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service import records
from service.problems import (
    InvalidRequestError,
    PayloadTooLargeError,
    SessionNotFoundError,
    UnsupportedContentCodingError,
    UnsupportedMediaTypeError,
    invalid_header,
)

# A JSON string may spell each byte of its text in six (\u0001), and there are other fields.
_SIX_BYTES_FOR_ONE = 6
_REST_OF_BODY = 4096

_TOO_WIDE = 2.0**64
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, json_schema_extra={"format": "int64"})]
# NUL can't be kept by every database; a lone surrogate is no text at all, and the parser refuses it.
Context = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel)


def _exact_integer(value: object, info: ValidationInfo) -> object:
    """The integer that a JSON number such as 5.0 stands for, if a float holds all of its digits."""
    if not isinstance(value, float) or not value.is_integer() or abs(value) >= _TOO_WIDE:
        return value
    # The parser has rounded the number already, so look at how it was written.
    try:
        written = json.loads(info.context or b"{}", parse_float=Decimal).get("userId")
    except (ArithmeticError, ValueError, RecursionError):  # numbers elsewhere that Python can't hold
        return value
    return int(value) if written == int(value) else value


class SessionRequest(_Payload):
    user_id: Annotated[Int64, BeforeValidator(_exact_integer)]  # 5.0 is an integer to JSON Schema
    context: Context = ""


class SessionUpdateRequest(_Payload):
    """Without a context it changes nothing; with an empty one it clears the context."""

    context: Context = Field(default_factory=str)

    @property
    def new_context(self) -> str | None:
        return self.context if "context" in self.model_fields_set else None


def _as_written(value: object) -> object:
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("should be an integer")
    return value


Written = BeforeValidator(_as_written)


class ListQuery(BaseModel):
    """Which sessions are listed; a parameter that is not known is ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    user_id: Annotated[Int64, Written] | SkipJsonSchema[None] = Field(default=None, description="Of this user")
    limit: Annotated[int, Field(ge=1, le=1000), Written] | SkipJsonSchema[None] = Field(
        default=None, description="At most so many; `Link` leads to the next page. Without it, all"
    )
    after: Annotated[int, Field(ge=0, le=2**63 - 1, json_schema_extra={"format": "int64"}), Written] = Field(
        default=0, description="With a higher id than this one: the last that was seen"
    )


P = TypeVar("P", SessionRequest, SessionUpdateRequest)


class SessionResponse(_Payload):
    """A session, as it is now."""

    session_id: Int64
    user_id: Int64
    context: str


class Session(SessionResponse):
    """A session in the list of all."""


class SessionContextResponse(_Payload):
    """The context of one session, to the byte as it was stored."""

    session_id: Int64
    context: str


def exact_bounds(document: Any) -> None:  # noqa: ANN401 - JSON
    """Write the bounds of 64 bits in an OpenAPI document as what they are: FastAPI rounds them to floats."""
    if isinstance(document, dict):
        if document.get("format") == "int64":
            document |= {"maximum": 2**63 - 1} | ({"minimum": -(2**63)} if document["minimum"] else {})
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            exact_bounds(part)


_quote = json.JSONEncoder(ensure_ascii=False).encode


# These write by hand what the models above describe: twice as fast as through the models.
def session_json(session: records.Session) -> bytes:
    """SessionResponse, and Session in the list."""
    text = f'{{"sessionId":{session.id},"userId":{session.user_id},"context":{_quote(session.context)}}}'
    return text.encode()


def session_context_json(session: records.Session) -> bytes:
    """SessionContextResponse."""
    return f'{{"sessionId":{session.id},"context":{_quote(session.context)}}}'.encode()


async def read_payload(scope: Scope, receive: Receive, model: type[P], max_context_bytes: int) -> P:
    """The request's body as the model says.

    Raises UnsupportedMediaTypeError, PayloadTooLargeError as soon as too much has come, InvalidRequestError.
    """
    if not _is_json(read_header(scope, b"content-type") or ""):
        raise UnsupportedMediaTypeError
    if (read_header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedContentCodingError
    limit = max_context_bytes * _SIX_BYTES_FOR_ONE + _REST_OF_BODY
    if int(read_header(scope, b"content-length") or 0) > limit:
        raise PayloadTooLargeError
    body = await _read_body(receive, limit)
    try:
        payload = model.model_validate_json(body, context=body)
    except ValidationError as error:
        raise InvalidRequestError(_mistakes(error, "body")) from None
    # Only a body over the limit can hold a context over it.
    if len(body) > max_context_bytes < len(payload.context.encode()):
        raise PayloadTooLargeError
    return payload


KEY_PATTERN = r"^[!-~]{1,255}$"


def read_key(header: str | None) -> str | None:
    """An Idempotency-Key: visible ASCII, quotes and all; InvalidRequestError."""
    if header is not None and not re.fullmatch(KEY_PATTERN, header):
        raise invalid_header("Idempotency-Key", "Input should be 1 to 255 visible ASCII characters", "key")
    return header


def read_query(query: bytes, model: type[ListQuery]) -> ListQuery:
    """The parameters as the model says. Raises InvalidRequestError, also for one that is given twice."""
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    parameters = dict(given)
    if len(parameters) < len(given):
        names = [name for name, _ in given]
        known = {field.alias or name for name, field in model.model_fields.items()}
        if repeated := [name for name in parameters if name in known and names.count(name) > 1]:
            problem = {"msg": "Input should be given once", "type": "repeated"}
            raise InvalidRequestError([{"loc": ["query", name], **problem} for name in repeated])
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        mistakes = _mistakes(error, "query")
        raise InvalidRequestError(
            [{**one, "loc": one["loc"][:2]} for one in mistakes]
        ) from None  # no union's arms


def _mistakes(error: ValidationError, place: str) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": [place, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in found]


def _is_json(content_type: str) -> bool:
    if content_type == "application/json":
        return True
    header = Message()
    header["Content-Type"] = content_type
    media_type = header.get_content_type()
    return (
        media_type == "application/json"
        or (media_type.startswith("application/") and media_type.endswith("+json"))
    ) and _is_utf8(str(header.get_param("charset", "utf-8")))


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name == "utf-8"
    except LookupError:
        return False


async def _read_body(receive: Receive, limit: int) -> bytearray:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise PayloadTooLargeError
    return body


def read_header(scope: Scope, name: bytes) -> str | None:
    """A header as it was sent, several of one name as one; the name in small letters."""
    values = [value for header, value in scope["headers"] if header == name]
    return b", ".join(values).decode("latin-1") if values else None


_LONGEST_ID = len(str(2**63 - 1))


def read_session_id(text: str) -> int:
    """The id that a path names, in the one way that it is written.

    Raises InvalidRequestError when it is no integer, SessionNotFoundError when no session can have it.
    """
    if "%2F" in text.upper():  # of a path that is none of the API's
        raise SessionNotFoundError
    if not _INTEGER.fullmatch(text):
        raise InvalidRequestError(
            [{"loc": ["path", "sessionId"], "msg": "Input should be a valid integer", "type": "int_parsing"}]
        )
    if len(text) > _LONGEST_ID or not 0 < int(text) < 2**63:
        raise SessionNotFoundError
    return int(text)
