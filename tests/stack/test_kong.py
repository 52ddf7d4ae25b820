"""Kong's entities through the real engine: import, drift, an Admin API that is down, and adoption."""

import json
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port
from tests.stack.clone import Clone, has_traceback

CANARY = "canary-of-an-imported-key"
UP = "up --yes --skip-preview"
SAME = "preview --refresh --run-program --expect-no-changes"


def create(clone: Clone, path: str, **fields: object) -> str:
    """Create an entity by hand and return its id."""
    answer = requests.post(clone.admin + path, json=fields, timeout=10)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def in_state(clone: Clone, resource: str) -> dict[str, object]:
    resources = json.loads(clone.pulumi("stack export"))["deployment"]["resources"]
    found: dict[str, object] = next(one for one in resources if one["urn"].endswith(resource))
    return found


def test_entities_created_by_hand_are_imported_and_their_key_is_nowhere_in_plain_text(redeployed: Clone) -> None:
    clone = redeployed
    upstream = create(clone, "/upstreams", name="by.hand", slots=500)
    create(clone, "/consumers", username="ann")
    key = create(clone, "/consumers/ann/key-auth", key=CANARY)
    provider = f"kong={in_state(clone, 'pulumi:providers:kong::kong')['urn']}"
    options = f"--provider {provider} --generate-code=false --protect=false --yes"
    printed = clone.pulumi(f"import kong:index:KongUpstream hand by.hand {options}")
    printed += clone.pulumi(f"import kong:index:KongKey ann ann/{key} {options}")
    assert CANARY not in printed + clone.pulumi("stack export")
    assert in_state(clone, "KongUpstream::hand")["id"] == upstream
    assert '"slots": 500' in json.dumps(in_state(clone, "KongUpstream::hand")["inputs"])
    assert '"ciphertext"' in json.dumps(in_state(clone, "KongKey::ann")["inputs"])
    clone.pulumi(UP)  # the program says nothing of them, so they go
    assert "Not found" in clone.kong("/upstreams/by.hand")["message"]
    assert clone.kong("/consumers/ann/key-auth")["data"] == []
    requests.delete(clone.admin + "/consumers/ann", timeout=10)


def test_an_entity_that_does_not_exist_is_not_imported(clone: Clone) -> None:
    provider = f"kong={in_state(clone, 'pulumi:providers:kong::kong')['urn']}"
    options = f"--provider {provider} --generate-code=false --yes"
    printed = clone.pulumi(f"import kong:index:KongService nope nope-service {options}", fails=True)
    assert "'nope-service' does not exist" in printed
    clone.pulumi(SAME)


def test_a_change_by_hand_is_shown_and_reverted(clone: Clone) -> None:
    service = f"/services/{clone.outputs()['kong']['service']}"
    plugin = next(one for one in clone.kong(f"{service}/plugins")["data"] if one["name"] == "correlation-id")
    requests.patch(clone.admin + service, json={"read_timeout": 5}, timeout=10)
    config = {"config": {"header_name": "X-Other"}}
    requests.patch(f"{clone.admin}/plugins/{plugin['id']}", json=config, timeout=10)
    printed = clone.pulumi("refresh --yes --skip-preview --diff")
    assert "read_timeout" in printed
    assert '"X-Other"' in printed
    clone.pulumi(UP)
    assert clone.kong(service)["read_timeout"] == 12000
    assert clone.kong(f"/plugins/{plugin['id']}")["config"]["header_name"] == "X-Request-ID"
    clone.pulumi(SAME)


def test_a_forced_replacement_keeps_what_it_creates(clone: Clone) -> None:
    state = json.loads(clone.pulumi("stack export"))["deployment"]["resources"]
    for resource, path in (
        ("KongRoute::session-context", f"/routes/{clone.outputs()['kong']['route']}"),
        ("KongPlugin::session-context-correlation-id", "/plugins"),
        ("KongTarget::session-context-1", f"/upstreams/{clone.outputs()['kong']['upstream']}/targets"),
    ):
        before = clone.kong(path)
        urn = next(one["urn"] for one in state if one["urn"].endswith(resource))
        assert "1 replaced" in clone.pulumi(f"{UP} --replace '{urn}'")
        assert without_dates(clone.kong(path)) == without_dates(before)
    clone.pulumi(SAME)


def without_dates(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a list, or a single row, without their dates."""
    rows = answer.get("data", [answer])
    return [{key: value for key, value in row.items() if not key.endswith("_at")} for row in rows]


def test_a_kong_that_is_down_is_a_warning_in_a_preview_and_stops_an_up(redeployed: Clone) -> None:
    clone = redeployed
    original = clone.file.read_text()
    before = clone.containers()
    clone.set("kongAdminUrl", f"http://127.0.0.1:{free_port()}")
    clone.set("replicas", 2)
    printed = clone.pulumi("preview")
    assert printed.partition("Diagnostics:")[2].count("is unreachable") == 1
    printed = clone.pulumi(UP, fails=True)
    assert "Check the host and port in kongAdminUrl, and that Kong is running." in printed
    assert not has_traceback(printed)
    assert clone.containers() == before, "containers were made although Kong is down"
    assert clone.request("GET", "/sessions").status_code == 200
    clone.file.write_text(original)
    clone.pulumi(UP)
    clone.pulumi(SAME)


def test_the_same_stack_in_another_backend_is_stopped_until_it_adopts(redeployed: Clone, tmp_path: Path) -> None:
    clone = redeployed

    def elsewhere(command: str, *, fails: bool = False) -> str:
        backend = f"export PULUMI_BACKEND_URL=file://{tmp_path} PULUMI_CONFIG_PASSPHRASE=dev"
        return clone._run(
            ["bash", "-c", f". ./activate && {backend} && pulumi --non-interactive {command}"], fails=fails
        )

    mine = clone.kong(f"/services/{clone.outputs()['kong']['service']}")
    elsewhere(f"stack init {clone.stack}")
    printed = elsewhere("preview", fails=True)
    assert f"another state of stack {clone.stack} created" in printed
    assert next(tag for tag in mine["tags"] if tag.startswith("mark:")) in printed
    assert "pulumi config set kong:adopt true" in printed
    elsewhere("config set kong:adopt true")
    assert mine["id"] in elsewhere("preview")
    assert clone.kong(f"/services/{mine['id']}") == mine


def test_a_conflicting_entity_stops_the_preview_with_its_id_until_it_is_adopted(redeployed: Clone) -> None:
    clone = redeployed
    service = {"id": clone.outputs()["kong"]["service"]}
    theirs = create(clone, "/plugins", name="rate-limiting", service=service, config={"minute": 7})
    clone.set("requestsPerMinute", 100000)
    printed = clone.pulumi("preview", fails=True)
    assert theirs in printed
    assert "pulumi config set kong:adopt true" in printed
    assert clone.kong(f"/plugins/{theirs}")["config"]["minute"] == 7
    clone.pulumi("config set kong:adopt true")
    clone.pulumi(UP)
    taken = clone.kong(f"/plugins/{theirs}")
    assert taken["config"]["minute"] == 100000
    assert f"stack:{clone.stack}" in taken["tags"]
    clone.pulumi("config rm kong:adopt")
    clone.pulumi(UP)
    clone.pulumi(SAME)
    assert clone.kong(f"/plugins/{theirs}")["tags"] == taken["tags"]
