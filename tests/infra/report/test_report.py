"""The reviewer's report of previews that the engine wrote (`recorded/`), and of made-up edge cases."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from infra.report.escape import code, visible
from infra.report.markdown import render, render_failure, to_plain_text
from infra.report.preview import NoPreviewError, parse
from local.workspace import ROOT

RECORDED = Path(__file__).parent / "recorded"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
PARENT = "urn:pulumi:dev::p::a:b:Group::group"


def recorded(name: str) -> str:
    return render(parse((RECORDED / f"{name}.json").read_text()))


def step(op: str, kind: str = "a:b:Thing", name: str = "x", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A step as the engine writes it; `old` and `new` are inputs."""
    states = {
        f"{side}State": {
            "custom": True,
            "inputs": more.pop(side),
            "parent": PARENT,
            **more.pop(f"{side}_more", {}),
        }
        for side in ("old", "new")
        if side in more
    }
    return {"op": op, "urn": f"urn:pulumi:dev::p::{kind}::{name}", **states, **more}


def report(*steps: dict[str, Any], **more: object) -> str:
    return render(parse(json.dumps({"steps": steps, **more})))


def updated(kind: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    changed = sorted(key for key in old | new if old.get(key) != new.get(key))
    return report(step("update", kind, old=old, new=new, diffReasons=changed))


def first_lines(text: str) -> list[str]:
    """Return the list of risks."""
    section = text.partition("### Look at first\n\n")[2].partition("\n\n")[0]
    return section.splitlines()


# Recorded previews


def test_the_first_preview_of_a_stack_creates_resources_and_a_record() -> None:
    text = recorded("first")
    assert "🟠 **10 to create; 1 to look at first.**\n" in text
    assert first_lines(text) == [
        "- Record `session-context` adds `sessioncontext.fountain.coach A 127.0.0.1` to public DNS"
    ]
    assert "+ image: session-context-api:" in text


def test_a_preview_without_changes_is_one_line() -> None:
    assert recorded("same").splitlines()[2:] == ["🟢 **Nothing changes.** 14 resources are unchanged."]


def test_drift_is_distinguished_from_changes_of_the_program() -> None:
    text = recorded("drift")
    assert "- read_timeout: 1\n+ read_timeout: 60000\n# read_timeout was 60000 before it drifted" in text
    assert '- records: ["192.0.2.66"]\n+ records: ["127.0.0.1"]\n# records was' in text
    assert "# deleted outside Pulumi since the last run\n+ hosts" in text
    assert "# image was" not in text


def test_secrets_are_masked() -> None:
    text = recorded("secrets")
    assert "+ envs: [secret]\n# envs forces replacement" in text
    assert "+ token: [secret]" in text


def test_a_new_hostname_is_a_risk_of_record_and_route() -> None:
    record, route = first_lines(recorded("secrets"))[2:]
    assert record == (
        "- Record `session-context` is replaced because of `name`, which changes public DNS: "
        "`sessioncontext.fountain.coach A 127.0.0.1` becomes `other.fountain.coach A 127.0.0.1`"
    )
    assert route == (
        '- KongRoute `session-context` matches other requests: hosts `["sessioncontext.fountain.coach"]` becomes '
        '`["other.fountain.coach"]`'
    )


def test_a_replacement_in_three_steps_is_one_change() -> None:
    text = recorded("replacement-steps")
    assert "1 to update, 2 to replace" in text
    assert text.count("± replace") == 2
    assert text.count("forces replacement") == 2


def test_a_destroy_starts_with_the_data() -> None:
    lines = first_lines(recorded("destroy"))
    assert lines[0] == "- Volume `session-context-data` is deleted, with all its data"
    assert "from public DNS" in lines[1]


def test_a_failed_preview_has_its_errors() -> None:
    text = recorded("failed")
    assert "🔴 **The preview failed" in text
    assert "ttl must be a whole number from 1 to 2147483647, not 'soon'" in text
    assert "from $PATH at" not in text


def test_the_graph_has_parents_dependencies_and_colors() -> None:
    graph = recorded("drift").partition("```mermaid\n")[2].partition("\n```")[0]
    ids = {label: node for node, label in re.findall(r'^  (n\d+)\["(.*?)"\]', graph, re.MULTILINE)}
    container, target = ids["Container<br>session-context-1"], ids["KongTarget<br>session-context-1"]
    assert f"  {ids['DockerHost<br>session-context']} --> {container}" in graph
    assert f"  {container} -.-> {target}" in graph
    assert f'{container}["Container<br>session-context-1"]:::replace' in graph
    assert f'{ids["KongRoute<br>session-context"]}["KongRoute<br>session-context"]:::create' in graph
    assert re.search(r'\["Volume<br>session-context-data"\]$', graph, re.MULTILINE)


# Made-up previews


@pytest.mark.parametrize(
    ("kind", "old", "new", "line"),
    [
        ("kong:index:KongRoute", {"paths": ["/a"]}, {"paths": ["/b"]}, "matches other requests: paths"),
        ("kong:index:KongRoute", {"service": "a"}, {"service": "b"}, "forwards to another service"),
        ("kong:index:KongService", {"enabled": True}, {"enabled": False}, "is disabled"),
        (
            "kong:index:KongService",
            {"host": "a"},
            {"host": "b"},
            "elsewhere: host `a` becomes `b`",
        ),
        ("kong:index:KongTarget", {"weight": 100}, {"weight": 0}, "receives no more requests"),
        ("kong:index:KongKey", {"consumer": "a"}, {"consumer": "b"}, "stops working"),
        (
            "kong:index:KongSni",
            {"certificate": "a"},
            {"certificate": "b"},
            "presents another certificate",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": False},
            {"name": "key-auth", "enabled": True},
            "starts to reject requests (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": True},
            {"name": "key-auth", "enabled": False},
            "no longer rejects requests (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "rate-limiting", "config": {"minute": 9}},
            {"name": "rate-limiting", "config": {"minute": 1}},
            "may reject different requests (`rate-limiting`: `config`)",
        ),
        ("aws:route53/record:Record", {"ttl": 1}, {"ttl": 2}, "changes `ttl` in public DNS"),
        ("pulumi:providers:kong", {"adminUrl": "a"}, {"adminUrl": "b"}, "manages another gateway"),
    ],
)
def test_a_change_that_affects_traffic_is_a_risk(
    kind: str, old: dict[str, Any], new: dict[str, Any], line: str
) -> None:
    assert line in "\n".join(first_lines(updated(kind, old, new)))


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("kong:index:KongPlugin", {"name": "cors", "config": 1}, {"name": "cors", "config": 2}),
        ("kong:index:KongService", {"retries": 1}, {"retries": 2}),
        ("docker:index/image:Image", {"imageName": "a"}, {"imageName": "b"}),
    ],
)
def test_other_changes_are_no_risk(kind: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    text = updated(kind, old, new)
    assert first_lines(text) == []
    assert "🟢 **1 to update; none of it is risky.**" in text


@pytest.mark.parametrize(
    ("kind", "line"), [("KongKey", "stops working"), ("KongCertificate", "another certificate")]
)
def test_a_changed_secret_is_listed_but_masked(kind: str, line: str) -> None:
    sealed = {"key": "[secret]"}
    text = report(
        step("update", f"kong:index:{kind}", old=sealed, new=sealed, detailedDiff={"key": {"kind": "update"}})
    )
    assert line in "\n".join(first_lines(text))
    assert "! key: [secret] (changed)" in text


def test_a_new_plugin_that_restricts_access_is_a_risk() -> None:
    text = report(step("create", "kong:index:KongPlugin", new={"name": "key-auth"}))
    assert first_lines(text) == ["- KongPlugin `x` starts to reject requests (`key-auth`)"]


def test_a_removed_protection_is_a_risk_without_changed_properties() -> None:
    lost = step("same", old={}, new={}, old_more={"protect": True})
    assert first_lines(report(lost)) == ["- Thing `x` is no longer protected"]


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
            old={"list": [{"key": 1}], "map": {"a.b": {"c": 1}, "gone": 1}},
            new={"list": [{"key": 2}], "map": {"a.b": {"c": 2}}, "added": {"x": 1}},
            detailedDiff={
                "list[0].key": {"kind": "update", "inputDiff": True},
                'map["a.b"].c': {"kind": "update"},
                "map.gone": {"kind": "delete"},
                "added": {"kind": "add"},
            },
        )
    )
    for line in ("- list[0].key: 1\n+ list[0].key: 2", '- map["a.b"].c: 1\n+ map["a.b"].c: 2', "- map.gone: 1"):
        assert line in text
    assert '+ added: {"x": 1}' in text


def test_long_values_are_shortened_to_their_difference() -> None:
    text = updated("a:b:Thing", {"a": "=" * 5000 + "old"}, {"a": "=" * 5000 + "new"})
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
