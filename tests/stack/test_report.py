"""`make preview` on a real stack."""

from tests.stack.clone import Clone


def test_make_preview_tells_what_changes_and_writes_it_for_a_reviewer(clone: Clone) -> None:
    assert "Nothing changes" in clone.make("preview")
    good = clone.file.read_text()
    clone.set("ttl", 60)
    clone.pulumi("config set --secret databaseUrl sqlite:////app/data/canary.db")
    try:
        told = clone.make("preview")
        report = (clone.folder / ".local" / "preview.md").read_text()
    finally:
        clone.file.write_text(good)
    assert "- ttl: 300\n+ ttl: 60" in told
    assert "gets another `ttl` in public DNS" in report
    assert "```mermaid\nflowchart" in report
    assert "[secret]" in report
    for text in (told, report, (clone.folder / ".local" / "preview.json").read_text()):
        assert "canary" not in text


def test_a_preview_that_fails_says_why_and_leaves_a_report(clone: Clone) -> None:
    good = clone.file.read_text()
    clone.set("ttl", "soon")
    try:
        told = clone.make("preview", fails=True)
    finally:
        clone.file.write_text(good)
    assert "ttl must be a whole number" in told
    assert "The preview failed" in (clone.folder / ".local" / "preview.md").read_text()
