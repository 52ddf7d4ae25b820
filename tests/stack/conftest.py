"""One clone for all tests of the stack, brought up once and removed at the end."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.stack.clone import Clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A deployed clone, of somebody with a strict umask. Each test leaves it converged."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    subprocess.run(["chmod", "-R", "go-rwx", clone.folder], check=True)
    try:
        clone.make("up")
        yield clone
    finally:
        clone.make("down")


@pytest.fixture
def empty(clone: Clone) -> Iterator[Clone]:
    """The clone's platform without its stack. What a test makes in the zone or the stack's file goes again."""
    clone.pulumi("destroy --yes")
    good = clone.file.read_text()
    yield clone
    clone.file.write_text(good)
    clone.pulumi("destroy --yes")
    for record in clone.records():
        clone.in_zone("DELETE", record)
    clone.make("up")
