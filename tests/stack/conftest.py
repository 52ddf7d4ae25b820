"""The clone that the tests of the stack share: deployed once, and removed at the end."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.stack.clone import Clone

UP = "up --yes --skip-preview"


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """Yield a deployed clone of a user with a strict umask. Every test leaves it converged."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    subprocess.run(["chmod", "-R", "go-rwx", clone.folder], check=True)
    try:
        clone.make("up")
        yield clone
    finally:
        clone.make("down")


@pytest.fixture
def edited(clone: Clone) -> Iterator[Clone]:
    """Yield the clone, whose config file is restored afterwards."""
    original = clone.file.read_text()
    yield clone
    clone.file.write_text(original)


@pytest.fixture
def redeployed(clone: Clone) -> Iterator[Clone]:
    """Yield the clone, whose config file is restored and deployed again afterwards."""
    original = clone.file.read_text()
    yield clone
    clone.file.write_text(original)
    clone.pulumi(UP)


@pytest.fixture
def empty(clone: Clone) -> Iterator[Clone]:
    """Yield the clone's platform with an empty stack; restore and deploy its config file and zone afterwards."""
    clone.pulumi("destroy --yes")
    original = clone.file.read_text()
    yield clone
    clone.file.write_text(original)
    clone.pulumi("destroy --yes")
    for record in clone.records():
        clone.in_zone("DELETE", record)
    clone.make("up")
