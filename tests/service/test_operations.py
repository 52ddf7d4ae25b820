"""The four operations of 2.0.0."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service.processes import Service, running

# All characters except NUL. Surrogates are not characters.
ALL_OF_UNICODE = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))


def test_a_create_returns_the_session_in_camel_case(fresh: Service) -> None:
    answer = fresh.create(user_id=42, context="hello")
    assert answer.status_code == 201
    assert answer.json() == {"sessionId": 1, "userId": 42, "context": "hello"}
    assert answer.headers["Content-Type"] == "application/json"


def test_a_create_without_a_context_has_an_empty_one(service: Service) -> None:
    assert service.create().json()["context"] == ""


def test_an_unknown_field_of_a_create_is_ignored(service: Service) -> None:
    assert service.create(more=1).status_code == 201


def test_the_list_holds_all_sessions_by_id_in_camel_case(fresh: Service) -> None:
    assert fresh.list() == []
    for number in range(3):
        fresh.create(user_id=number, context=f"c{number}")
    assert fresh.list() == [
        {"sessionId": 1, "userId": 0, "context": "c0"},
        {"sessionId": 2, "userId": 1, "context": "c1"},
        {"sessionId": 3, "userId": 2, "context": "c2"},
    ]


def test_a_list_of_many_chunks_is_complete(fresh: Service) -> None:
    created = [fresh.create(context="x" * (number * 100)).json() for number in range(450)]
    assert fresh.list() == created


def test_an_update_returns_the_session_with_its_new_context(service: Service) -> None:
    session = service.create(user_id=7, context="old").json()
    answer = service.update(session["sessionId"], context="new")
    assert answer.status_code == 200
    assert answer.json() == {**session, "context": "new"}


def test_an_update_changes_no_other_session(fresh: Service) -> None:
    fresh.create(context="one")
    fresh.create(context="two")
    fresh.update(2, context="changed")
    assert [session["context"] for session in fresh.list()] == ["one", "changed"]


def test_an_empty_context_clears_the_context(service: Service) -> None:
    session_id = service.create_session(context="old")
    assert service.update(session_id, context="").json()["context"] == ""
    assert service.context(session_id).json() == {"sessionId": session_id, "context": ""}


def test_an_update_without_a_context_changes_nothing(service: Service) -> None:
    session = service.create(context="old").json()
    answer = service.update(session["sessionId"])
    assert (answer.status_code, answer.json()) == (200, session)


def test_a_context_is_returned_with_its_id(service: Service) -> None:
    session_id = service.create_session(context="c")
    answer = service.context(session_id)
    assert (answer.status_code, answer.json()) == (200, {"sessionId": session_id, "context": "c"})


@pytest.mark.parametrize("path", ["/sessions/999999", "/sessions/999999/context"])
def test_a_missing_session_is_a_404_with_the_detail_of_2_0_0(service: Service, path: str) -> None:
    answer = service.request("GET" if path.endswith("context") else "PUT", path, json={"context": ""})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Session not found"


def test_any_unicode_text_is_returned_unchanged(tmp_path: Path) -> None:
    limit = len(ALL_OF_UNICODE.encode())
    with running(Service(tmp_path, max_context_bytes=limit)) as service:
        session_id = service.create_session(context=ALL_OF_UNICODE)
        assert service.context(session_id).json()["context"] == ALL_OF_UNICODE
        assert service.update(session_id, context=ALL_OF_UNICODE).json()["context"] == ALL_OF_UNICODE
        assert service.list()[0]["context"] == ALL_OF_UNICODE


def test_the_largest_and_smallest_user_ids_are_stored(service: Service) -> None:
    for user_id in (-(2**63), 2**63 - 1):
        assert service.create(user_id=user_id).json()["userId"] == user_id


def create_with(service: Service, body: str) -> requests.Response:
    return service.request("POST", "/sessions", data=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("user_id", "value"),
    [("7.0", 7), ("7e0", 7), ("70e-1", 7), ("-0.0", 0), ("9007199254740992.0", 2**53), ("1e18", 10**18)],
)
def test_an_integer_may_be_written_as_json_allows(service: Service, user_id: str, value: int) -> None:
    answer = create_with(service, f'{{"userId": {user_id}}}')
    assert (answer.status_code, answer.json()["userId"]) == (201, value)


@pytest.mark.parametrize(
    "user_id",
    ["9007199254740993.0", "9.007199254740993e15", "4.00000000000000000001", "1e-400", "-9007199254740993.0"],
)
def test_a_number_that_a_float_would_round_is_a_422(service: Service, user_id: str) -> None:
    assert create_with(service, f'{{"userId": {user_id}}}').status_code == 422


@pytest.mark.parametrize("other", ["1e9999999999999999999", "9" * 5000])
def test_another_number_that_python_can_not_hold_is_a_422(service: Service, other: str) -> None:
    assert create_with(service, f'{{"userId": 7.0, "more": {other}}}').status_code == 422


def test_a_response_does_not_name_the_server_software(service: Service) -> None:
    assert "Server" not in service.create().headers


def test_the_openapi_document_extends_that_of_2_0_0(service: Service) -> None:
    document = service.request("GET", "/openapi.json").json()
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "FountainAI Session and Context Management API"
    assert document["info"]["version"] == "2.0.0"
    servers = ["https://sessioncontext.fountain.coach", "http://localhost:8080"]
    assert [server["url"] for server in document["servers"]] == servers
    operations = {
        (method, path): operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == {
        ("post", "/sessions"): "createSession",
        ("get", "/sessions"): "listSessions",
        ("get", "/sessions/{sessionId}"): "getSession",
        ("put", "/sessions/{sessionId}"): "updateSession",
        ("delete", "/sessions/{sessionId}"): "deleteSession",
        ("get", "/sessions/{sessionId}/context"): "getSessionContext",
    }
    schemas = document["components"]["schemas"]
    assert schemas.keys() == {
        "SessionRequest", "SessionUpdateRequest", "SessionResponse", "SessionContextResponse", "Session",
        "Problem", "InvalidRequestProblem",
    }  # fmt: skip
    assert schemas["SessionRequest"]["required"] == ["userId"]
    assert "required" not in schemas["SessionUpdateRequest"]
    assert schemas["SessionResponse"]["required"] == ["sessionId", "userId", "context"]


def test_every_documented_error_is_a_problem(service: Service) -> None:
    document = service.request("GET", "/openapi.json").json()
    errors = [
        response["content"].keys()
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]
    assert len(errors) > 4
    assert all(media_types == {"application/problem+json"} for media_types in errors)


def test_liveness_and_readiness_are_reported(service: Service) -> None:
    assert service.request("GET", "/livez").json() == {"status": "ok"}
    assert service.request("GET", "/readyz").json() == {
        "status": "ok",
        "database": "ok",
        "sequencer": "embedded",
    }


def test_parallel_clients_get_ids_of_their_own_without_gaps(fresh: Service) -> None:
    def create(number: int) -> int:
        answer = requests.post(f"{fresh.url}/sessions", json={"userId": number}, timeout=10)
        session_id: int = answer.json()["sessionId"]
        return session_id

    with ThreadPoolExecutor(16) as clients:
        ids = list(clients.map(create, range(300)))
    assert sorted(ids) == list(range(1, 301))
