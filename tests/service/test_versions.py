"""Versions, single sessions, their deletion, and pages of the list."""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from time import time

import pytest

from tests.service.conftest import NewDatabase
from tests.service.processes import Service, running


def create(service: Service) -> int:
    return service.create_session(context="first")


def test_a_create_returns_the_location_and_the_version(service: Service) -> None:
    answer = service.create(user_id=5, context="c")
    assert answer.headers["ETag"] == '"1"'
    assert service.request("GET", answer.headers["Location"]).json() == answer.json()


def test_a_session_is_returned_as_it_was_created(service: Service) -> None:
    session = service.create(user_id=5, context="c").json()
    answer = service.request("GET", f"/sessions/{session['sessionId']}")
    assert (answer.status_code, answer.json()) == (200, session)


def test_each_update_makes_the_next_version(service: Service) -> None:
    session_id = create(service)
    for version in range(2, 5):
        assert service.update(session_id, context="same").headers["ETag"] == f'"{version}"'
        assert service.context(session_id).headers["ETag"] == f'"{version}"'
        assert service.request("GET", f"/sessions/{session_id}").headers["ETag"] == f'"{version}"'


def test_an_update_without_a_context_keeps_the_version(service: Service) -> None:
    session_id = create(service)
    assert service.update(session_id).headers["ETag"] == '"1"'
    assert service.context(session_id).headers["ETag"] == '"1"'


def test_the_time_of_the_last_change_is_returned(service: Service) -> None:
    session_id = create(service)
    for answer in (service.update(session_id, context="x"), service.context(session_id)):
        assert abs(parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp() - time()) < 10
        assert answer.headers["Last-Modified"].endswith(" GMT")


@pytest.mark.parametrize(
    "tags", ['"1"', "*", '"0", "1"', 'W/"1","1"', '"a,b" ,\t"1"', ', ,"1"', '"1",', '"0",, "1" ,']
)
@pytest.mark.parametrize("fields", [{"context": "new"}, {}])
def test_an_update_of_the_current_version_is_made(service: Service, tags: str, fields: dict[str, str]) -> None:
    path = f"/sessions/{create(service)}"
    answer = service.request("PUT", path, json=fields, headers={"If-Match": tags})
    assert answer.status_code == 200
    assert answer.json()["context"] == fields.get("context", "first")


@pytest.mark.parametrize("tags", ['"1"', 'W/"2"', '"02"', '"1", "3"', '"*"', '""'])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PUT without a context"])
def test_a_change_of_a_stale_version_is_a_412_and_changes_nothing(
    service: Service, tags: str, method: str
) -> None:
    session_id = create(service)
    service.update(session_id, context="second")
    body = {"context": "lost"} if method == "PUT" else {}
    answer = service.request(method.split()[0], f"/sessions/{session_id}", json=body, headers={"If-Match": tags})
    assert answer.status_code == 412
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert service.context(session_id).json()["context"] == "second"
    assert service.context(session_id).headers["ETag"] == '"2"'


@pytest.mark.parametrize("tags", ["1", "", ",", "'1'", '"1" "2"', "**", '"1', 'w/"1"', '*, "1"'])
def test_an_invalid_list_of_tags_is_a_422(service: Service, tags: str) -> None:
    session_id = create(service)
    for method, header in [("PUT", "If-Match"), ("DELETE", "If-Match"), ("GET", "If-None-Match")]:
        answer = service.request(method, f"/sessions/{session_id}", json={"context": "x"}, headers={header: tags})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["header", header]
    assert service.context(session_id).json()["context"] == "first"


@pytest.mark.parametrize("path", ["", "/context"])
@pytest.mark.parametrize(
    ("tags", "status"),
    [('"1"', 304), ('W/"1"', 304), ("*", 304), ('"9", "1"', 304), ('"2"', 200), ('"1W/"', 200)],
)
def test_the_version_that_a_client_has_is_not_sent_again(
    service: Service, path: str, tags: str, status: int
) -> None:
    answer = service.request("GET", f"/sessions/{create(service)}{path}", headers={"If-None-Match": tags})
    assert answer.status_code == status
    assert answer.headers["ETag"] == '"1"'
    assert bool(answer.content) == (status == 200)


def test_a_missing_session_is_a_404_whatever_the_precondition(service: Service) -> None:
    for method, header in [("PUT", "If-Match"), ("DELETE", "If-Match"), ("GET", "If-None-Match")]:
        answer = service.request(method, "/sessions/999999", json={"context": "x"}, headers={header: "*"})
        assert answer.status_code == 404


def test_a_deleted_session_is_a_404(service: Service) -> None:
    session_id = create(service)
    answer = service.request("DELETE", f"/sessions/{session_id}", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.content) == (204, b"")
    for again in (
        service.context(session_id),
        service.request("GET", f"/sessions/{session_id}"),
        service.update(session_id, context="x"),
        service.update(session_id),
        service.delete(session_id),
    ):
        assert (again.status_code, again.json()["detail"]) == (404, "Session not found")
    assert session_id not in {session["sessionId"] for session in service.list()}


def test_the_id_of_a_deleted_session_is_never_used_again(fresh: Service) -> None:
    last = [create(fresh) for _ in range(3)][-1]
    assert fresh.delete(last).status_code == 204
    assert create(fresh) == last + 1


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{}", "/sessions/{}/context", "/sessions/999999"])
def test_head_answers_like_get_without_the_body(service: Service, path: str) -> None:
    path = path.format(create(service))
    get, head = service.request("GET", path), service.request("HEAD", path)
    assert head.status_code == get.status_code
    assert head.content == b""
    for name in ("Content-Type", "ETag", "Last-Modified"):
        assert head.headers.get(name) == get.headers.get(name)


def test_pages_have_each_session_once_and_in_order(fresh: Service) -> None:
    everything = [fresh.create(user_id=number % 3, context="x" * number * 100).json() for number in range(25)]
    for query, expected in [("", everything), ("&userId=1", [one for one in everything if one["userId"] == 1])]:
        url, pages = f"/sessions?limit=4{query}", []
        while url:
            answer = fresh.request("GET", url)
            pages.append(answer.json())
            url = answer.links.get("next", {}).get("url", "")
        assert [session for page in pages for session in page] == expected
        assert {len(page) for page in pages[:-1]} == {4}
        assert 0 < len(pages[-1]) <= 4


def test_a_full_last_page_has_no_link(fresh: Service) -> None:
    for _ in range(4):
        create(fresh)
    assert "Link" not in fresh.request("GET", "/sessions?limit=4").headers
    assert fresh.request("GET", "/sessions?after=4&limit=4").json() == []


@pytest.mark.parametrize("limit", [1, 7, 198, 199, 200, 201, 209, 210, 211])
def test_pages_of_every_size_have_all_sessions(chunks: Service, limit: int) -> None:
    url, pages = f"/sessions?limit={limit}", []
    while url:
        answer = chunks.request("GET", url)
        pages.append([session["sessionId"] for session in answer.json()])
        url = answer.links.get("next", {}).get("url", "")
    assert pages == [list(range(first, min(first + limit, 211))) for first in range(1, 211, limit)]


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Service]:
    """Yield a service with more sessions than a chunk has, and large ones among them."""
    folder = tmp_path_factory.mktemp("chunks")
    with running(Service(folder, database_url=new_database(folder))) as process:
        for number in range(210):
            process.create(context="x" * (100_000 if number in {5, 6, 7, 209} else 10))
        yield process


def test_a_page_larger_than_a_chunk_is_complete(fresh: Service) -> None:
    everything = [fresh.create(context="x" * 1_000).json() for _ in range(310)]
    assert fresh.request("GET", "/sessions?limit=305").json() == everything[:305]
    assert fresh.request("GET", "/sessions?userId=1").json() == everything


def test_a_list_can_be_filtered_by_user_and_id(fresh: Service) -> None:
    for user_id in (1, 2, 1, 1, -(2**63)):
        fresh.create(user_id=user_id)
    assert [one["sessionId"] for one in fresh.request("GET", "/sessions?userId=1&after=1").json()] == [3, 4]
    assert [one["sessionId"] for one in fresh.request("GET", f"/sessions?userId={-(2**63)}").json()] == [5]
    assert fresh.request("GET", f"/sessions?after={2**63 - 1}").json() == []


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=", "limit=1.0", "limit=+1", "limit=x"),
        *("after=-1", "after=1_0", "after=null", "after=9223372036854775808"),
        *("userId=01", "userId=9223372036854775808", "userId=%00"),
    ],
)
def test_an_invalid_query_is_a_422(service: Service, query: str) -> None:
    answer = service.request("GET", f"/sessions?{query}")
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["loc"] == ["query", query.split("=")[0]]


def test_an_unknown_parameter_is_ignored(service: Service) -> None:
    create(service)
    assert service.request("GET", "/sessions?limit=1&more=1").status_code == 200
