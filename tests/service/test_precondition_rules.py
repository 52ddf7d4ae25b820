"""The rules of RFC 9110, section 13, by themselves: what is parsed, and what it means for a version."""

import pytest

from service.preconditions import NO_PRECONDITION, Precondition, entity_tag, parse_precondition
from service.problems import InvalidRequestError

DATE, SECONDS = "Sat, 01 Jan 2000 00:00:10 GMT", 946684810


def tags(*listed: str) -> frozenset[str]:
    return frozenset(listed)


def test_a_version_is_a_strong_tag() -> None:
    assert entity_tag(12) == '"12"'


def test_without_headers_nothing_is_required() -> None:
    assert parse_precondition(None, None, None, None) is NO_PRECONDITION
    assert not NO_PRECONDITION.fails(1, 1)
    assert not NO_PRECONDITION.fails_write(1, 1)
    assert not NO_PRECONDITION.is_current(1, 1)


def test_each_header_is_parsed_into_its_field() -> None:
    assert parse_precondition('"1"', DATE, 'W/"2", "3"', DATE) == Precondition(
        tags('"1"'), SECONDS, tags('W/"2"', '"3"'), SECONDS
    )
    assert parse_precondition(None, DATE, None, None) == Precondition(if_unmodified_since=SECONDS)
    assert parse_precondition(None, None, "*", None) == Precondition(if_none_match=tags("*"))
    assert parse_precondition(None, None, None, DATE) == Precondition(if_modified_since=SECONDS)


@pytest.mark.parametrize(("if_match", "if_none_match"), [("1", '"1"'), ('"1"', '*, "1"')])
def test_what_is_no_list_of_tags_is_an_error_of_its_header(if_match: str, if_none_match: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        parse_precondition(if_match, None, if_none_match, None)
    name = "If-Match" if if_match == "1" else "If-None-Match"
    message = "Input should be * or a list of entity tags in quotes"
    assert error.value.errors == [{"loc": ["header", name], "msg": message, "type": "entity_tags"}]


@pytest.mark.parametrize("date", [DATE, "Saturday, 01-Jan-00 00:00:10 GMT", "Sat Jan  1 00:00:10 2000"])
def test_a_date_has_one_of_three_formats(date: str) -> None:
    assert parse_precondition(None, date, None, None).if_unmodified_since == SECONDS


@pytest.mark.parametrize("date", ["", "soon", "2000-01-01", f"{DATE}, {DATE}"])
def test_what_is_no_date_is_ignored(date: str) -> None:
    assert parse_precondition(None, date, None, date) == NO_PRECONDITION


@pytest.mark.parametrize(
    ("precondition", "fails"),
    [
        (Precondition(if_match=tags("*")), False),
        (Precondition(if_match=tags('"1"', '"2"')), False),
        (Precondition(if_match=tags('W/"2"')), True),
        (Precondition(if_match=tags()), True),
        (Precondition(if_match=tags('"2"'), if_unmodified_since=9), False),
        (Precondition(if_match=tags('"1"'), if_unmodified_since=11), True),
        (Precondition(if_unmodified_since=9), True),
        (Precondition(if_unmodified_since=10), False),
    ],
)
def test_a_method_is_not_performed_if_the_precondition_is_false(precondition: Precondition, fails: bool) -> None:
    assert precondition.fails(2, 10) is fails
    assert precondition.fails_write(2, 10) is fails


def test_without_a_date_of_its_own_a_session_meets_any_date() -> None:
    assert not Precondition(if_unmodified_since=0).fails(2, None)
    assert not Precondition(if_modified_since=0).is_current(2, None)


@pytest.mark.parametrize(
    ("listed", "matches"),
    [(tags("*"), True), (tags('"2"'), True), (tags('W/"2"'), True), (tags('"1"', "2"), False), (tags(), False)],
)
def test_if_none_match_compares_weakly(listed: frozenset[str], matches: bool) -> None:
    precondition = Precondition(if_none_match=listed, if_modified_since=99)
    assert precondition.is_current(2, 10) is matches
    assert precondition.fails_write(2, 10) is matches
    assert not precondition.fails(2, 10)


@pytest.mark.parametrize(("since", "is_current"), [(9, False), (10, True), (11, True)])
def test_a_read_of_what_has_not_changed_since_is_current(since: int, is_current: bool) -> None:
    precondition = Precondition(if_modified_since=since)
    assert precondition.is_current(2, 10) is is_current
    assert not precondition.fails_write(2, 10)
