"""Entity tags of versions, and preconditions on the current version (RFC 9110, sections 8.8.3 and 13)."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from service.problems import invalid_header

Tags = frozenset[str]  # "*" among them matches any version

_TAG = r'(?:W/)?"[!#-~]*"'
# A list may have empty elements: RFC 9110, section 5.6.1.2.
TAGS_PATTERN = rf"^(?:\*|(?:,[ \t]*)*{_TAG}(?:[ \t]*,(?:[ \t]*{_TAG})?)*[ \t]*)$"
# The three formats of an HTTP-date: RFC 9110, section 5.6.7.
_DATE_FORMATS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


class Precondition(NamedTuple):
    """What a request requires of the current version. Dates are in seconds since 1970."""

    if_match: Tags | None = None
    if_unmodified_since: int | None = None
    if_none_match: Tags | None = None
    if_modified_since: int | None = None

    def fails(self, version: int | None, modified_at: int | None) -> bool:
        """Return whether the method must not be performed (sections 13.1.1 and 13.1.4). A list has no version."""
        if self.if_match is not None:
            return not (self.if_match & {"*", entity_tag(version)})
        if self.if_unmodified_since is None or modified_at is None:
            return False
        return modified_at > self.if_unmodified_since

    def fails_write(self, version: int | None, modified_at: int | None) -> bool:
        """Return whether a method that changes something must not be performed."""
        return self.fails(version, modified_at) or self._matches_none_match(version)

    def is_current(self, version: int | None, modified_at: int | None) -> bool:
        """Return whether the client has this version, so that a read is a 304 (sections 13.1.2 and 13.1.3)."""
        if self.if_none_match is not None:
            return self._matches_none_match(version)
        if self.if_modified_since is None or modified_at is None:
            return False
        return modified_at <= self.if_modified_since

    def _matches_none_match(self, version: int | None) -> bool:
        # The comparison is weak: a tag that a cache on the way has weakened still names this version.
        tag = entity_tag(version)
        return not (self.if_none_match or frozenset()).isdisjoint({"*", tag, f"W/{tag}"})


NO_PRECONDITION = Precondition()


def entity_tag(version: int | None) -> str:
    """Return the strong tag of a version."""
    return f'"{version}"'


def parse_precondition(
    if_match: str | None,
    if_unmodified_since: str | None,
    if_none_match: str | None,
    if_modified_since: str | None,
) -> Precondition:
    """Parse the headers of a request. Raises InvalidRequestError for what is not a list of entity tags.

    What is not a date is ignored, as the RFC requires.
    """
    if if_match is if_unmodified_since is if_none_match is if_modified_since is None:
        return NO_PRECONDITION
    return Precondition(
        _parse_tags("If-Match", if_match),
        _parse_date(if_unmodified_since),
        _parse_tags("If-None-Match", if_none_match),
        _parse_date(if_modified_since),
    )


def _parse_tags(name: str, header: str | None) -> Tags | None:
    if header is None:
        return None
    if not re.fullmatch(TAGS_PATTERN, header):
        raise invalid_header(name, "Input should be * or a list of entity tags in quotes", "entity_tags")
    return frozenset([header] if header == "*" else re.findall(_TAG, header))


def _parse_date(header: str | None) -> int | None:
    for date_format in _DATE_FORMATS if header else ():
        with suppress(ValueError):
            return int(datetime.strptime(header or "", date_format).replace(tzinfo=UTC).timestamp())
    return None
