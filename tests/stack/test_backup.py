"""`make backup` and `make restore` on a deployed stack."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.clone import Clone, docker_client
from tests.stack.sshd import Sshd


def contexts(clone: Clone) -> dict[int, str]:
    return {each["sessionId"]: each["context"] for each in clone.settled(200, "/sessions").json()}


def start_times(clone: Clone) -> list[str]:
    with docker_client() as client:
        return [client.containers.get(name).attrs["State"]["StartedAt"] for name in clone.containers()]


def create(clone: Clone, context: str) -> int:
    session_id: int = clone.request("POST", "/sessions", json={"userId": 1, "context": context}).json()[
        "sessionId"
    ]
    return session_id


@pytest.fixture(params=["here", "over ssh"])
def reached(request: pytest.FixtureRequest, clone: Clone) -> Iterator[Clone]:
    """Yield the clone, whose config reaches the engine in one of two ways."""
    if request.param == "here":
        yield clone
        return
    original = clone.file.read_text()
    sshd = Sshd(Path(tempfile.mkdtemp(prefix="sshd-")))
    try:
        clone.variables = {"PATH": os.pathsep.join([sshd.bin, clone.environment()["PATH"]])}
        clone.set("dockerHost", sshd.url)
        yield clone
    finally:
        clone.variables = {}
        clone.file.write_text(original)
        sshd.stop()


def test_a_restore_brings_back_exactly_what_was_backed_up(reached: Clone, tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    kept = create(reached, "kept")
    assert "sessions in the backup: " in reached.make("backup", f"FILE={file}")
    before = contexts(reached)
    reached.request("PUT", f"/sessions/{kept}", json={"context": "changed"})
    later = create(reached, "later")
    assert "sessions restored: " in reached.make("restore", f"FILE={file}")
    assert contexts(reached) == before
    assert create(reached, "new") == later  # its first use was never backed up
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_failed_restore_leaves_the_sessions_unchanged(clone: Clone, tmp_path: Path) -> None:
    create(clone, "kept")
    before = contexts(clone)
    file = tmp_path / "junk"
    file.write_text("junk")
    running = start_times(clone)
    assert "not a database of this service" in clone.make("restore", f"FILE={file}", fails=True)
    assert start_times(clone) == running
    assert "make restore FILE=" in clone.make("restore", fails=True)
    assert contexts(clone) == before


def test_a_destroy_prints_how_many_sessions_it_removes(reached: Clone) -> None:
    create(reached, "kept")
    printed = reached.pulumi("destroy --preview-only")
    assert f"removed with it: {len(contexts(reached))}. To keep them: make backup STACK={reached.stack}" in printed
