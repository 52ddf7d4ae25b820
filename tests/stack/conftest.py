"""One clone for all tests of the stack, brought up once and removed at the end."""

from collections.abc import Iterator

import pytest

from tests.stack.clone import Clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A deployed clone. Each test leaves it converged."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    try:
        clone.make("up")
        yield clone
    finally:
        clone.make("down")
