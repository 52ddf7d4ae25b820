"""The OpenAPI document: FastAPI's, with problems, examples and exact bounds.

`python -m service.openapi` prints it.
"""

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from service.problems import (
    MEDIA_TYPE,
    InvalidRequestError,
    SequencerUnavailableError,
    ServiceError,
    problem_response,
)


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Always about:blank: the status identifies the problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request")


class InvalidRequestProblem(Problem):
    """What is wrong in the request, and where."""

    errors: list[dict[str, Any]] = Field(description="Location, message and type of each error")


_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before retrying", "schema": {"type": "integer"}}}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare these problems as responses of a route; `complete_document` adds the schemas that they refer to."""
    return {status: _problem_response(HTTPStatus(status)) for status in statuses}


def _problem_response(status: HTTPStatus) -> dict[str, Any]:
    model = InvalidRequestProblem if status == HTTPStatus.UNPROCESSABLE_ENTITY else Problem
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    response = {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
    if status in {HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE}:
        response["headers"] = _RETRY_AFTER
    return response


_INVALID: dict[str, dict[str, Any]] = {
    "createSession": {"loc": ["body", "userId"], "msg": "Field required", "type": "missing"},
    "listSessions": {
        "loc": ["query", "after"],
        "msg": "Input should be greater than or equal to 0",
        "type": "greater_than_equal",
    },
}
_INVALID_ID = {"loc": ["path", "sessionId"], "msg": "Input should be a valid integer", "type": "int_parsing"}


def complete_document(document: dict[str, Any], api_key_header: str | None) -> None:
    """Add what FastAPI does not know: problems, exact bounds, and the API key that the gateway expects."""
    schemas = {model.__name__: model.model_json_schema() for model in (Problem, InvalidRequestProblem)}
    document["components"]["schemas"].update(schemas)
    _restore_int64_bounds(document)
    _add_examples(document)
    if api_key_header:
        scheme = {"type": "apiKey", "in": "header", "name": api_key_header}
        document["components"]["securitySchemes"] = {"apiKey": scheme}
        document["security"] = [{"apiKey": []}]


def _add_examples(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if MEDIA_TYPE in response.get("content", {}):
                    examples = _problem_examples(int(status), path, operation["operationId"])
                    response["content"][MEDIA_TYPE]["examples"] = examples


def _problem_examples(status: int, path: str, operation_id: str) -> dict[str, Any]:
    """Return each problem with this status that the operation can answer, as it is sent."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        errors: list[Exception] = [Exception()]
    elif status == HTTPStatus.UNPROCESSABLE_ENTITY:
        errors = [InvalidRequestError([_INVALID.get(operation_id, _INVALID_ID)])]
    else:
        errors = [kind() for kind in _kinds(ServiceError) if kind.__dict__.get("detail") and kind.status == status]
    instance = path.replace("{sessionId}", "1" if status != HTTPStatus.UNPROCESSABLE_ENTITY else "x")
    values = [
        json.loads(bytes(problem_response(error, instance).body))
        for error in errors
        if operation_id == "createSession" or not isinstance(error, SequencerUnavailableError)
    ]
    return {value["detail"]: {"value": value} for value in values}


def _kinds(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _restore_int64_bounds(part: Any) -> None:  # noqa: ANN401 - JSON
    """FastAPI rounds bounds to floats."""
    if isinstance(part, dict):
        if part.get("format") == "int64":
            part |= {"maximum": 2**63 - 1} | ({"minimum": -(2**63)} if part["minimum"] else {})
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            _restore_int64_bounds(each)


if __name__ == "__main__":
    from service.app import create_app
    from service.settings import Settings

    document = create_app(Settings.model_construct()).openapi()  # whatever the environment says
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
