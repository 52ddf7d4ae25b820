"""A version that never gets healthy: the one before goes on serving, however often somebody tries."""

from tests.stack.clone import Clone

UP = "up --yes --skip-preview"


def test_a_version_that_never_gets_healthy_serves_nobody_until_it_is_mended(clone: Clone) -> None:
    program = clone.folder / "service" / "__main__.py"
    good, before = program.read_text(), clone.containers()
    program.write_text("raise SystemExit('broken on purpose')\n")
    try:
        for with_make in (True, False, True, False):
            told = clone.make("up", fails=True) if with_make else clone.pulumi(UP, fails=True)
            assert "does not get healthy" in told
            assert set(before) < set(clone.containers())
            assert clone.targets() == [f"{name}:8080" for name in before]
            assert clone.request("GET", "/sessions").status_code == 200
    finally:
        program.write_text(good)
    clone.make("up")
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    assert clone.request("GET", "/sessions").status_code == 200
