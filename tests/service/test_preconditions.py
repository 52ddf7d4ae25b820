"""Preconditions of every method, evaluated according to RFC 9110, section 13."""

from email.utils import formatdate, parsedate_to_datetime
from time import gmtime, strftime, time

import pytest

from tests.service.processes import Service

LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT"
LATER = formatdate(time() + 1_000_000, usegmt=True)
BODY = {"userId": 1, "context": "changed"}


def create(service: Service) -> int:
    return service.create_session(context="first")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": '"2"'},
        {"If-Match": 'W/"1"'},
        {"If-Unmodified-Since": LONG_AGO},
        {"If-Match": '"2"', "If-Unmodified-Since": LATER},
    ],
)
def test_a_false_precondition_is_a_412_and_changes_nothing(
    service: Service, method: str, headers: dict[str, str]
) -> None:
    session_id = create(service)
    assert service.request(method, f"/sessions/{session_id}", json=BODY, headers=headers).status_code == 412
    assert service.context(session_id).json()["context"] == "first"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("tags", ["*", '"1"', 'W/"1"', '"9", "1"'])
def test_a_change_that_excludes_the_current_version_is_a_412(service: Service, method: str, tags: str) -> None:
    session_id = create(service)
    headers = {"If-None-Match": tags}
    assert service.request(method, f"/sessions/{session_id}", json=BODY, headers=headers).status_code == 412
    assert service.context(session_id).json()["context"] == "first"


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": '"1"', "If-Unmodified-Since": LONG_AGO},  # section 13.1.4: If-Match takes precedence
        {"If-Unmodified-Since": LATER},
        {"If-None-Match": '"2"'},
        {"If-Modified-Since": LATER},  # section 13.1.3: only for reads
        {"If-Unmodified-Since": "yesterday"},  # section 13.1.4: what is not a date is ignored
        {"If-Unmodified-Since": f"{LONG_AGO}, {LONG_AGO}"},
    ],
)
def test_a_change_with_a_true_precondition_is_made(service: Service, headers: dict[str, str]) -> None:
    answer = service.request("PUT", f"/sessions/{create(service)}", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["context"]) == (200, "changed")


@pytest.mark.parametrize("path", ["", "/context"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_of_an_unmodified_session_is_a_304(service: Service, method: str, path: str) -> None:
    path = f"/sessions/{create(service)}{path}"
    last_modified = service.request("GET", path).headers["Last-Modified"]
    for headers, status in [
        ({"If-Modified-Since": last_modified}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": LONG_AGO}, 200),
        ({"If-Modified-Since": "soon"}, 200),
        ({"If-Modified-Since": LATER, "If-None-Match": '"2"'}, 200),
        ({"If-Modified-Since": LONG_AGO, "If-None-Match": '"1"'}, 304),
    ]:
        assert service.request(method, path, headers=headers).status_code == status


@pytest.mark.parametrize(
    "date_format", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
)
def test_all_three_date_formats_are_accepted(service: Service, date_format: str) -> None:
    path = f"/sessions/{create(service)}"
    modified_at = parsedate_to_datetime(service.request("GET", path).headers["Last-Modified"]).timestamp()
    for seconds, status in [(-1, 200), (0, 304)]:
        date = strftime(date_format, gmtime(modified_at + seconds))
        assert service.request("GET", path, headers={"If-Modified-Since": date}).status_code == status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_precondition_on_the_list_is_evaluated(service: Service, method: str) -> None:
    current = 304 if method == "GET" else 412
    done = 200 if method == "GET" else 201
    for headers, status in [
        ({"If-Match": '"1"'}, 412),
        ({"If-Match": "*"}, done),
        ({"If-None-Match": "*"}, current),
        ({"If-None-Match": '"1"'}, done),
        ({"If-Match": "1"}, 422),
        ({"If-Unmodified-Since": LONG_AGO}, done),  # section 13.1.4: a list has no date
    ]:
        assert service.request(method, "/sessions", json=BODY, headers=headers).status_code == status


def test_a_refused_create_creates_no_session(fresh: Service) -> None:
    assert fresh.request("POST", "/sessions", json=BODY, headers={"If-None-Match": "*"}).status_code == 412
    assert fresh.list() == []
