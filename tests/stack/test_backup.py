"""`make backup` and `make restore` on a deployed stack."""

from pathlib import Path

from tests.stack.clone import Clone


def contexts(clone: Clone) -> dict[int, str]:
    return {each["sessionId"]: each["context"] for each in clone.settled(200, "/sessions").json()}


def create(clone: Clone, context: str) -> int:
    session_id: int = clone.request("POST", "/sessions", json={"userId": 1, "context": context}).json()[
        "sessionId"
    ]
    return session_id


def test_what_was_backed_up_is_there_again_and_nothing_else(clone: Clone, tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    kept = create(clone, "kept")
    assert "sessions in the backup: " in clone.make("backup", f"FILE={file}")
    before = contexts(clone)
    clone.request("PUT", f"/sessions/{kept}", json={"context": "changed"})
    later = create(clone, "later")
    assert "sessions restored: " in clone.make("restore", f"FILE={file}")
    assert contexts(clone) == before
    assert create(clone, "new") == later  # its first use was never backed up
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_restore_of_no_backup_leaves_the_sessions_as_they_are(clone: Clone, tmp_path: Path) -> None:
    create(clone, "kept")
    before = contexts(clone)
    file = tmp_path / "junk"
    file.write_text("junk")
    assert "not a database of this service" in clone.make("restore", f"FILE={file}", fails=True)
    assert "make restore FILE=" in clone.make("restore", fails=True)
    assert contexts(clone) == before


def test_a_destroy_says_how_many_sessions_go_with_it(clone: Clone) -> None:
    create(clone, "kept")
    said = clone.pulumi("destroy --preview-only")
    assert f"removed with it: {len(contexts(clone))}. To keep them: make backup STACK={clone.stack}" in said
