"""How the report renders values and changes, and that it stays safe and short."""

import re
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

from infra.report.escape import code, visible
from infra.report.markdown import render_failure, to_plain_text
from infra.report.preview import NoPreviewError, parse
from local.workspace import ROOT
from tests.infra.report.previews import RECORDED, first_lines, recorded, report, report_update, step

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def test_reads_imports_and_pending_deletes_have_their_own_words() -> None:
    text = report(
        step("read", name="known", new={"a": 1}),
        step("import", name="taken", old={"a": 1}, new={"a": 2}, detailedDiff={"a": {"kind": "update"}}),
        step("delete-replaced", name="older", old={"a": 1}),
        step("some-step-of-tomorrow", name="new", new={"a": 1}),
    )
    assert "1 to replace, 1 to import; 1 to look at first" in text
    assert "= import <code>Thing taken</code></summary>\n\n```diff\n- a: 1\n+ a: 2" in text
    assert "known" not in text.partition("### The stack")[0]


def test_unknown_and_secret_values_are_labeled() -> None:
    sealed = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"canary"'}
    text = report(
        step(
            "update",
            old={"a": "1", "b": "[secret]", "c": sealed, "d": 1},
            new={"a": UNKNOWN, "b": "[secret]", "c": "open", "d": [UNKNOWN]},
            diffReasons=["a", "b", "c", "d"],
        )
    )
    assert "- a: 1\n+ a: [known after up]" in text
    assert "! b: [secret] (changed)" in text
    assert "- c: [secret]\n+ c: open" in text
    assert '+ d: ["[known after up]"]' in text
    assert "canary" not in text


def test_property_paths_of_the_engine_are_resolved() -> None:
    text = report(
        step(
            "update",
            old={"list": [{"key": 1}], "map": {"a.b": {"c": 1}, "removed": 1}},
            new={"list": [{"key": 2}], "map": {"a.b": {"c": 2}}, "added": {"x": 1}},
            detailedDiff={
                "list[0].key": {"kind": "update", "inputDiff": True},
                'map["a.b"].c': {"kind": "update"},
                "map.removed": {"kind": "delete"},
                "added": {"kind": "add"},
            },
        )
    )
    for line in ("- list[0].key: 1\n+ list[0].key: 2", '- map["a.b"].c: 1\n+ map["a.b"].c: 2', "- map.removed: 1"):
        assert line in text
    assert '+ added: {"x": 1}' in text


def test_long_values_are_shortened_to_their_difference() -> None:
    text = report_update("a:b:Thing", {"a": "=" * 5000 + "old"}, {"a": "=" * 5000 + "new"})
    assert re.search(r"- a: …=+old\n\+ a: …=+new\n", text)


HOSTILE = "a | `b` ```\n```\n</details> @someone <script>alert(1)</script> *x* #1 \u202e\x1b[31m [l](http://e)"


def test_hostile_values_are_escaped() -> None:
    text = report(
        step("update", name=HOSTILE, old={"a": HOSTILE}, new={"a": f"{HOSTILE}!"}, diffReasons=["a"]),
        step("delete", name=HOSTILE + "2", old={HOSTILE: HOSTILE}),
        step(
            "replace",
            "aws:route53/record:Record",
            old={"name": HOSTILE},
            new={"name": "x"},
            replaceReasons=["name"],
        ),
        diagnostics=[{"severity": "error", "message": f"error: {HOSTILE}"}],
    )
    assert "\u202e" not in text
    assert "\x1b" not in text
    tokens = [inner for token in MarkdownIt().parse(text) for inner in [token, *(token.children or [])]]
    markup = [token for token in tokens if token.type not in ("fence", "code_inline", "inline")]
    for meant in ("@someone", "script", "http", "x*"):
        for token in markup:
            content = re.sub(r"<code>.*?</code>", _unescaped, token.content)
            assert meant not in content, token
    assert {token.type for token in markup} & {"link_open", "em_open", "html_inline", "image"} == set()


@pytest.mark.parametrize("name", ["a", "a`b @someone", "`", "``a`` *b* `", "", " ", HOSTILE])
def test_a_name_is_one_code_span(name: str) -> None:
    (inline,) = [token for token in MarkdownIt().parse(f"- {code(name)}") if token.type == "inline"]
    (span,) = inline.children or []
    assert span.type == "code_inline"
    assert span.content.strip() == visible(name).strip()


def _unescaped(element: re.Match[str]) -> str:
    """Return a code element only if it contains markup."""
    return element[0] if "<" in element[0][6:-7] else ""


@pytest.mark.parametrize("size", [3, 3000])
def test_a_huge_preview_fits_a_comment_and_keeps_the_risks(size: int) -> None:
    harmless = [
        step("create", name=f"n{number}", new={f"p{part}": "ü" * 300 for part in range(20)})
        for number in range(size)
    ]
    text = report(
        *harmless,
        step("delete", "docker:index/volume:Volume", "data", old={}),
        diagnostics=[{"severity": "error", "message": "x" * 9000} for _ in range(9)],
    )
    assert len(text.encode()) < 65_536
    assert "Volume `data` is deleted, with all its data" in text
    assert text.index("- delete <code>Volume data") < text.index("+ create")
    assert ("more changes: `pulumi" in text) == (size == 3000)
    assert ('more["and' in text) == (size == 3000)
    assert text.count("<details>") == text.count("</details>")


def test_many_risks_leave_room_for_the_rest() -> None:
    text = report(*(step("delete", name=f"n{number}", old={"a": "b"}) for number in range(2000)))
    assert len(text.encode()) < 65_536
    assert re.fullmatch(r"- … and \d+ more", first_lines(text)[-1])
    assert "- delete <code>Thing n0" in text


def test_the_longest_names_and_messages_fit_a_comment() -> None:
    long = "\U0001f600" * 1000
    paths = {f"{long}{number}": number for number in range(99)}
    text = report(
        *(
            step("replace", name=f"{long}{number}", old=paths, new=paths, replaceReasons=list(paths))
            for number in range(99)
        ),
        diagnostics=[
            {"severity": kind, "message": long + str(at)} for kind in ("error", "warning") for at in range(9)
        ],
    )
    assert len(text.encode()) < 65_536
    assert "```mermaid" in text
    assert ", 94 more" in text


def test_the_terminal_gets_no_tags_and_no_graph() -> None:
    text = to_plain_text(recorded("drift"))
    assert "± replace Container session-context-1\n\n- image: session-context-api:" in text
    for tag in ("<", "```", "flowchart"):
        assert tag not in text


@pytest.mark.parametrize("given", ["", "error: no stack named 'x' found", "[]", "null", '"text"'])
def test_input_that_is_not_a_preview_is_an_error(given: str) -> None:
    with pytest.raises(NoPreviewError):
        parse(given)


def test_without_a_preview_there_is_a_report_too() -> None:
    text = render_failure("error: no stack named 'x' found")
    assert "There is no preview" in text
    assert "no stack named" in text


def test_it_reads_from_a_pipe_without_installed_packages() -> None:
    command = [sys.executable, "-S", "-m", "infra.report"]
    given = (RECORDED / "drift.json").read_text()
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=True)
    assert done.stdout == recorded("drift")
    empty = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    assert empty.returncode == 1
    assert "pulumi printed nothing" in empty.stdout
