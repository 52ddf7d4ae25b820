"""How paths are normalized to look up a route, and how they are forwarded."""

import pytest

from offline.gateway.paths import is_bad_path, normalize_path
from tests.offline.peers import Site, Upstream


@pytest.mark.parametrize(
    ("path", "normalized"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/..", "/"),
        ("//a///b/", "/a/b/"),
        ("/%6detrics", "/metrics"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/..%2fb", "/a/..%2Fb"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/%20%c3%bc", "/ ü"),
    ],
)
def test_a_path_is_normalized_as_kong_does(path: str, normalized: str) -> None:
    assert normalize_path(path) == normalized
    assert not is_bad_path(path)


def test_a_path_is_forwarded_escaped(site: Site, upstream: Upstream) -> None:
    site.reroute(paths=["/a b", "/é"], strip_path=False)
    assert [site.get(path).status_code for path in ("/a%20b/c", "/%c3%a9", "/a", "/e")] == [200, 200, 404, 404]
    assert [request["path"] for request in upstream.seen] == ["/a%20b/c", "/%C3%A9"]
