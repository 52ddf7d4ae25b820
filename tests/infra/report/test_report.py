"""The reviewer's report, over previews that the engine wrote (`recorded/`) and over ones made up for the edges."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from infra.report.escape import code, visible
from infra.report.markdown import failed, plain, report
from infra.report.preview import NoPreviewError, read
from local.workspace import ROOT

RECORDED = Path(__file__).parent / "recorded"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
PARENT = "urn:pulumi:dev::p::a:b:Group::group"


def recorded(name: str) -> str:
    return report(read((RECORDED / f"{name}.json").read_text()))


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


def told(*steps: dict[str, Any], **more: object) -> str:
    return report(read(json.dumps({"steps": steps, **more})))


def updated(kind: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    changed = sorted(key for key in old | new if old.get(key) != new.get(key))
    return told(step("update", kind, old=old, new=new, diffReasons=changed))


def first_lines(text: str) -> list[str]:
    """What a reviewer is to look at first."""
    section = text.partition("### Look at first\n\n")[2].partition("\n\n")[0]
    return section.splitlines()


# What the engine wrote


def test_the_first_preview_of_a_stack_is_creates_and_a_new_public_name() -> None:
    text = recorded("first")
    assert "🟠 **10 to create; 1 to look at first.**\n" in text
    assert first_lines(text) == [
        "- Record `session-context` adds `sessioncontext.fountain.coach A 127.0.0.1` to public DNS"
    ]
    assert "+ image: session-context-api:" in text


def test_a_preview_without_changes_is_one_line() -> None:
    assert recorded("same").splitlines()[2:] == ["🟢 **Nothing changes.** 14 resources stay as they are."]


def test_drift_is_told_from_what_the_program_changes() -> None:
    text = recorded("drift")
    assert "- read_timeout: 1\n+ read_timeout: 60000\n# read_timeout was 60000 until something else" in text
    assert '- records: ["192.0.2.66"]\n+ records: ["127.0.0.1"]\n# records was' in text
    assert "# something else removed it since the last run\n+ hosts" in text
    assert "# image was" not in text


def test_secrets_are_named_and_not_shown() -> None:
    text = recorded("secrets")
    assert "+ envs: [secret]\n# envs makes it be replaced" in text
    assert "+ token: [secret]" in text


def test_moving_a_route_and_its_name_is_at_the_top() -> None:
    record, route = first_lines(recorded("secrets"))[2:]
    assert record == (
        "- Record `session-context` is replaced because of `name`, which changes public DNS: "
        "`sessioncontext.fountain.coach A 127.0.0.1` becomes `other.fountain.coach A 127.0.0.1`"
    )
    assert route == (
        '- KongRoute `session-context` takes other requests: hosts `["sessioncontext.fountain.coach"]` becomes '
        '`["other.fountain.coach"]`'
    )


def test_a_replacement_in_three_steps_is_one_change() -> None:
    text = recorded("replacement-steps")
    assert "1 to update, 2 to replace" in text
    assert text.count("± replace") == 2
    assert text.count("makes it be replaced") == 2


def test_a_destroy_begins_with_the_data() -> None:
    lines = first_lines(recorded("destroy"))
    assert lines[0] == "- Volume `session-context-data` is deleted, and its data goes with it"
    assert "out of public DNS" in lines[1]


def test_a_failed_preview_says_why() -> None:
    text = recorded("failed")
    assert "🔴 **The preview failed" in text
    assert "ttl must be a whole number from 1 to 2147483647, not 'soon'" in text
    assert "from $PATH at" not in text


def test_the_graph_has_parents_dependencies_and_colours() -> None:
    graph = recorded("drift").partition("```mermaid\n")[2].partition("\n```")[0]
    ids = {label: node for node, label in re.findall(r'^  (n\d+)\["(.*?)"\]', graph, re.MULTILINE)}
    container, target = ids["Container<br>session-context-1"], ids["KongTarget<br>session-context-1"]
    assert f"  {ids['DockerHost<br>session-context']} --> {container}" in graph
    assert f"  {container} -.-> {target}" in graph
    assert f'{container}["Container<br>session-context-1"]:::replace' in graph
    assert f'{ids["KongRoute<br>session-context"]}["KongRoute<br>session-context"]:::create' in graph
    assert re.search(r'\["Volume<br>session-context-data"\]$', graph, re.MULTILINE)


# What could be


@pytest.mark.parametrize(
    ("kind", "old", "new", "line"),
    [
        ("kong:index:KongRoute", {"paths": ["/a"]}, {"paths": ["/b"]}, "takes other requests: paths"),
        ("kong:index:KongRoute", {"service": "a"}, {"service": "b"}, "leads to another service"),
        ("kong:index:KongService", {"enabled": True}, {"enabled": False}, "is switched off"),
        ("kong:index:KongService", {"host": "a"}, {"host": "b"}, "sends requests elsewhere: host `a` becomes `b`"),
        ("kong:index:KongTarget", {"weight": 100}, {"weight": 0}, "gets no more requests"),
        ("kong:index:KongKey", {"consumer": "a"}, {"consumer": "b"}, "stops working"),
        ("kong:index:KongSni", {"certificate": "a"}, {"certificate": "b"}, "shows clients another certificate"),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": False},
            {"name": "key-auth", "enabled": True},
            "begins to refuse requests (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "key-auth", "enabled": True},
            {"name": "key-auth", "enabled": False},
            "lets through what it refused (`key-auth`)",
        ),
        (
            "kong:index:KongPlugin",
            {"name": "rate-limiting", "config": {"minute": 9}},
            {"name": "rate-limiting", "config": {"minute": 1}},
            "may refuse other requests than before (`rate-limiting`: `config`)",
        ),
        ("aws:route53/record:Record", {"ttl": 1}, {"ttl": 2}, "gets another `ttl` in public DNS"),
        ("pulumi:providers:kong", {"adminUrl": "a"}, {"adminUrl": "b"}, "is for another gateway"),
    ],
)
def test_what_could_stop_traffic_or_open_a_door_is_to_be_looked_at(
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
def test_what_could_not_is_not(kind: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    text = updated(kind, old, new)
    assert first_lines(text) == []
    assert "🟢 **1 to update; none of it is risky.**" in text


@pytest.mark.parametrize(
    ("kind", "line"), [("KongKey", "stops working"), ("KongCertificate", "another certificate")]
)
def test_a_secret_that_changes_is_seen_though_it_is_not_shown(kind: str, line: str) -> None:
    sealed = {"key": "[secret]"}
    text = told(
        step("update", f"kong:index:{kind}", old=sealed, new=sealed, detailedDiff={"key": {"kind": "update"}})
    )
    assert line in "\n".join(first_lines(text))
    assert "! key: [secret], which changes" in text


def test_a_plugin_that_begins_to_refuse_is_to_be_looked_at() -> None:
    text = told(step("create", "kong:index:KongPlugin", new={"name": "key-auth"}))
    assert first_lines(text) == ["- KongPlugin `x` begins to refuse requests (`key-auth`)"]


def test_a_lost_protection_is_seen_though_no_property_changes() -> None:
    lost = step("same", old={}, new={}, old_more={"protect": True})
    assert first_lines(told(lost)) == ["- Thing `x` is no longer protected"]


def test_reads_and_imports_and_an_older_generation_are_told_as_such() -> None:
    text = told(
        step("read", name="known", new={"a": 1}),
        step("import", name="taken", old={"a": 1}, new={"a": 2}, detailedDiff={"a": {"kind": "update"}}),
        step("delete-replaced", name="older", old={"a": 1}),
        step("some-step-of-tomorrow", name="new", new={"a": 1}),
    )
    assert "1 to replace, 1 to import; 1 to look at first" in text
    assert "= import <code>Thing taken</code></summary>\n\n```diff\n- a: 1\n+ a: 2" in text
    assert "known" not in text.partition("### The stack")[0]


def test_unknown_and_secret_values_are_named() -> None:
    sealed = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"canary"'}
    text = told(
        step(
            "update",
            old={"a": "1", "b": "[secret]", "c": sealed, "d": 1},
            new={"a": UNKNOWN, "b": "[secret]", "c": "open", "d": [UNKNOWN]},
            diffReasons=["a", "b", "c", "d"],
        )
    )
    assert "- a: 1\n+ a: [known after up]" in text
    assert "! b: [secret], which changes" in text
    assert "- c: [secret]\n+ c: open" in text
    assert '+ d: ["[known after up]"]' in text
    assert "canary" not in text


def test_paths_of_the_engine_are_followed() -> None:
    text = told(
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


def test_long_values_show_where_they_differ() -> None:
    text = updated("a:b:Thing", {"a": "=" * 5000 + "old"}, {"a": "=" * 5000 + "new"})
    assert re.search(r"- a: …=+old\n\+ a: …=+new\n", text)


HOSTILE = "a | `b` ```\n```\n</details> @someone <script>alert(1)</script> *x* #1 \u202e\x1b[31m [l](http://e)"


def test_hostile_values_stay_values() -> None:
    text = told(
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
def test_a_name_in_a_line_is_one_code_span(name: str) -> None:
    (inline,) = [token for token in MarkdownIt().parse(f"- {code(name)}") if token.type == "inline"]
    (span,) = inline.children or []
    assert span.type == "code_inline"
    assert span.content.strip() == visible(name).strip()


def _unescaped(element: re.Match[str]) -> str:
    """What a browser would take for markup in a code element: its text can do nothing else."""
    return element[0] if "<" in element[0][6:-7] else ""


@pytest.mark.parametrize("size", [3, 3000])
def test_a_huge_preview_fits_a_comment_and_keeps_the_risky_lines(size: int) -> None:
    harmless = [
        step("create", name=f"n{number}", new={f"p{part}": "ü" * 300 for part in range(20)})
        for number in range(size)
    ]
    text = told(
        *harmless,
        step("delete", "docker:index/volume:Volume", "data", old={}),
        diagnostics=[{"severity": "error", "message": "x" * 9000} for _ in range(9)],
    )
    assert len(text.encode()) < 65_536
    assert "Volume `data` is deleted, and its data goes with it" in text
    assert text.index("- delete <code>Volume data") < text.index("+ create")
    assert ("more than fit here" in text) == (size == 3000)
    assert ('more["and' in text) == (size == 3000)
    assert text.count("<details>") == text.count("</details>")


def test_many_risky_lines_leave_room_for_the_rest() -> None:
    text = told(*(step("delete", name=f"n{number}", old={"a": "b"}) for number in range(2000)))
    assert len(text.encode()) < 65_536
    assert re.fullmatch(r"- … and \d+ more", first_lines(text)[-1])
    assert "- delete <code>Thing n0" in text


def test_the_longest_of_everything_fits_a_comment() -> None:
    long = "\U0001f600" * 1000
    paths = {f"{long}{number}": number for number in range(99)}
    text = told(
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


def test_the_terminal_shows_it_without_tags_and_graph() -> None:
    text = plain(recorded("drift"))
    assert "± replace Container session-context-1\n\n- image: session-context-api:" in text
    for tag in ("<", "```", "flowchart"):
        assert tag not in text


@pytest.mark.parametrize("given", ["", "error: no stack named 'x' found", "[]", "null", '"text"'])
def test_what_is_no_preview_is_said_to_be_none(given: str) -> None:
    with pytest.raises(NoPreviewError):
        read(given)


def test_no_preview_makes_a_report_too() -> None:
    text = failed("error: no stack named 'x' found")
    assert "There is no preview" in text
    assert "no stack named" in text


def test_it_reads_from_a_pipe_with_nothing_installed() -> None:
    command = [sys.executable, "-S", "-m", "infra.report"]
    given = (RECORDED / "drift.json").read_text()
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=True)
    assert done.stdout == recorded("drift")
    empty = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    assert empty.returncode == 1
    assert "pulumi wrote nothing" in empty.stdout
