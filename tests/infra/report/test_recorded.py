"""The report of recorded previews."""

import re

from tests.infra.report.previews import first_lines, recorded


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
