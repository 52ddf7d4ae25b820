"""Versions of a session as entity tags, and the conditions on them (RFC 9110, sections 8.8.3 and 13)."""

import re

from service.problems import invalid_header

# The strong tags of a condition; "*" among them is any version. A weak tag never stands for a version.
Tags = frozenset[str]

_TAG = r'(?:W/)?"[!#-~]*"'
TAGS_PATTERN = rf"^(?:\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)$"


def entity_tag(version: int) -> str:
    """The strong tag of a version."""
    return f'"{version}"'


def read_tags(name: str, header: str | None) -> Tags | None:
    """The tags that may match, None without a header; InvalidRequestError when it is no list of tags."""
    if header is None:
        return None
    if not re.fullmatch(TAGS_PATTERN, header):
        raise invalid_header(name, "Input should be * or a list of entity tags in quotes", "entity_tags")
    return frozenset([header] if header == "*" else re.findall(_TAG, header))


def names(tags: Tags, version: int) -> bool:
    """Whether a condition names this version."""
    return "*" in tags or entity_tag(version) in tags
