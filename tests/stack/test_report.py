"""`make preview` on a real stack."""

from tests.stack.clone import Clone


def test_make_preview_prints_what_changes_and_writes_a_report_for_a_reviewer(edited: Clone) -> None:
    clone = edited
    assert "Nothing changes" in clone.make("preview")
    clone.set("ttl", 60)
    clone.pulumi("config set --secret databaseUrl sqlite:////app/data/canary.db")
    printed = clone.make("preview")
    report = (clone.folder / ".local" / "preview.md").read_text()
    assert "- ttl: 300\n+ ttl: 60" in printed
    assert "changes `ttl` in public DNS" in report
    assert "```mermaid\nflowchart" in report
    assert "[secret]" in report
    for text in (printed, report, (clone.folder / ".local" / "preview.json").read_text()):
        assert "canary" not in text


def test_a_failed_preview_says_why_and_writes_a_report(edited: Clone) -> None:
    edited.set("ttl", "soon")
    assert "ttl must be a whole number" in edited.make("preview", fails=True)
    report = (edited.folder / ".local" / "preview.md").read_text()
    assert "There is no preview" in report
    assert "ttl must be a whole number" in report
