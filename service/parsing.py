"""Parsing of requests: the body, the query, the path and the Idempotency-Key. What is wrong raises a problem."""

import codecs
import re
from collections.abc import Container
from email.message import Message
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.payloads import INTEGER, ListQuery, SessionRequest, SessionUpdateRequest
from service.problems import (
    InvalidRequestError,
    PayloadTooLargeError,
    SessionNotFoundError,
    UnsupportedContentCodingError,
    UnsupportedMediaTypeError,
    invalid_header,
)

KEY_PATTERN = r"^[!-~]{1,255}$"
_MAX_ID_DIGITS = len(str(2**63 - 1))
# JSON may escape each byte of a string with six (\u0001), and there are other fields.
_BYTES_PER_ESCAPE = 6
_OTHER_BYTES = 4096

_BODY_HEADERS = frozenset({b"content-type", b"content-encoding", b"content-length"})

P = TypeVar("P", SessionRequest, SessionUpdateRequest)


def read_headers(scope: Scope, names: Container[bytes]) -> dict[bytes, str]:
    """Return those of the headers that were sent, by their names in lower case. Repeated headers are joined."""
    sent: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in names:
            text = value.decode("latin-1")
            sent[name] = f"{sent[name]}, {text}" if name in sent else text
    return sent


async def read_payload(scope: Scope, receive: Receive, model: type[P], max_context_bytes: int) -> P:
    """Receive the body and validate it.

    Raises UnsupportedMediaTypeError, InvalidRequestError, or PayloadTooLargeError as soon as too much arrives.
    """
    headers = read_headers(scope, _BODY_HEADERS)
    if not _is_json(headers.get(b"content-type", "")):
        raise UnsupportedMediaTypeError
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise UnsupportedContentCodingError
    limit = max_body_bytes(max_context_bytes)
    if int(headers.get(b"content-length", 0)) > limit:
        raise PayloadTooLargeError
    body = await _read_body(receive, limit)
    try:
        payload = model.model_validate_json(body, context=body)
    except ValidationError as error:
        raise InvalidRequestError(_errors(error, "body")) from None
    # Only a body over the limit can hold a context over it.
    if len(body) > max_context_bytes < len(payload.context.encode()):
        raise PayloadTooLargeError
    return payload


def max_body_bytes(max_context_bytes: int) -> int:
    """Return the size of the largest body that may hold a context of the maximum size."""
    return max_context_bytes * _BYTES_PER_ESCAPE + _OTHER_BYTES


def parse_key(header: str | None) -> str | None:
    """Check an Idempotency-Key: visible ASCII, quotes included. Raises InvalidRequestError."""
    if header is not None and not re.fullmatch(KEY_PATTERN, header):
        problem = "Input should be 1 to 255 visible ASCII characters, given once"
        raise invalid_header("Idempotency-Key", problem, "key")
    return header


def parse_query(query: bytes, model: type[ListQuery]) -> ListQuery:
    """Validate the query. Raises InvalidRequestError, also for a parameter that is repeated."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        names = [name for name, _ in pairs]
        known = {field.alias or name for name, field in model.model_fields.items()}
        if repeated := [name for name in parameters if name in known and names.count(name) > 1]:
            problem = {"msg": "Input should be given once", "type": "repeated"}
            raise InvalidRequestError([{"loc": ["query", name], **problem} for name in repeated])
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        # That None is accepted too is not the client's business: it stands for a parameter that is not sent.
        errors = [one for one in _errors(error, "query") if one["type"] != "none_required"]
        # A third part of a location names an arm of a union, which is not the client's business.
        raise InvalidRequestError([{**one, "loc": one["loc"][:2]} for one in errors]) from None


def parse_session_id(text: str) -> int:
    """Parse an id in a path, which has exactly one spelling.

    Raises InvalidRequestError if it is not an integer, SessionNotFoundError if no session can have it.
    """
    if not INTEGER.fullmatch(text):
        if "%2F" in text.upper():  # an escaped slash: the path belongs to no operation
            raise SessionNotFoundError
        raise InvalidRequestError(
            [{"loc": ["path", "sessionId"], "msg": "Input should be a valid integer", "type": "int_parsing"}]
        )
    # Python refuses to convert thousands of digits.
    if len(text) > _MAX_ID_DIGITS or not 0 < (session_id := int(text)) < 2**63:
        raise SessionNotFoundError
    return session_id


def _errors(error: ValidationError, place: str) -> list[dict[str, Any]]:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": [place, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in errors]


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
