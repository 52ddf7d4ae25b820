"""The OpenAPI document: FastAPI's, with our problems and exact bounds. `python -m service.openapi` prints it."""

import json
import sys
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from service.problems import MEDIA_TYPE


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Always about:blank: the status identifies the problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request")


class InvalidRequestProblem(Problem):
    """What is wrong in the request, and where."""

    errors: list[dict[str, Any]] = Field(description="loc, msg and type of each error")


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


def complete_document(document: dict[str, Any]) -> None:
    """Add the schemas of problems, and write the bounds of 64-bit integers exactly."""
    schemas = {model.__name__: model.model_json_schema() for model in (Problem, InvalidRequestProblem)}
    document["components"]["schemas"].update(schemas)
    _restore_int64_bounds(document)


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
