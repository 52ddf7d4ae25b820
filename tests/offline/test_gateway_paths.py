"""Paths as Kong takes them apart before it looks for a route."""

import pytest

from offline.gateway.router import tidied


@pytest.mark.parametrize(
    ("path", "is_taken_as"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/..", "/"),
        ("/../../a", "/a"),
        ("//a///b/", "/a/b/"),
        ("/%6detrics", "/metrics"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/..%2fb", "/a/..%2Fb"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/%20%c3%bc", "/%20%C3%BC"),
        ("/a%2", "/a%2"),
    ],
)
def test_a_path_is_tidied_as_kong_does(path: str, is_taken_as: str) -> None:
    assert tidied(path) == is_taken_as
