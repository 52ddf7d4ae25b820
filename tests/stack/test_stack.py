"""The main job, with the real engine and real containers: up, again, change, drift, kill, down."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.ports import free_port
from tests.stack.clone import HOSTNAME, Clone, copy_of_project, has_traceback
from tests.waiting import wait_for

NO_CHANGE = "preview --expect-no-changes --refresh"


@pytest.fixture(scope="module", autouse=True)
def as_it_was(clone: Clone) -> Iterator[None]:
    """These tests go on from one another's changes; those of other files find the stack without them."""
    yield
    for key in ("replicas", "ttl"):
        clone.pulumi(f"config rm {key} --stack {clone.stack}")
    clone.make("up")


def test_a_session_is_made_and_listed_through_the_gateway(clone: Clone) -> None:
    made = clone.request("POST", "/sessions", json={"userId": 7, "context": "grüße"})
    assert made.status_code == 201, made.text
    assert made.json() in clone.request("GET", "/sessions").json()


def test_any_other_host_gets_kongs_own_404(clone: Clone) -> None:
    answer = requests.get(clone.proxy + "/sessions", headers={"Host": "other.example"}, timeout=10)
    assert answer.status_code == 404
    assert answer.json()["message"] == "no Route matched with those values"


def test_the_record_leads_to_the_gateway(clone: Clone) -> None:
    assert [
        (record["Name"], record["TTL"], [value["Value"] for value in record["ResourceRecords"]])
        for record in clone.records()
    ] == [(f"{HOSTNAME}.", 300, ["127.0.0.1"])]


def test_outputs_tell_what_there_is(clone: Clone) -> None:
    outputs = clone.outputs()
    assert outputs["url"] == f"https://{HOSTNAME}"
    assert outputs["record"] == {"name": HOSTNAME, "addresses": ["127.0.0.1"]}
    assert outputs["containers"] == clone.containers()
    assert clone.kong(f"/services/{outputs['kong']['service']}")["name"] == "session-context-management-service"
    assert clone.kong(f"/routes/{outputs['kong']['route']}")["hosts"] == [HOSTNAME]


def test_a_second_up_changes_nothing_even_when_every_file_was_touched(clone: Clone) -> None:
    for file in clone.folder.rglob("*"):
        if file.is_file() and ".local" not in file.parts and ".venv" not in file.parts:
            os.utime(file)
            file.chmod(file.stat().st_mode & 0o700)  # as in a clone whose umask is 077
    image = clone.outputs()["image"]
    assert "unchanged" in clone.make("up")
    clone.pulumi(NO_CHANGE)
    assert clone.outputs()["image"] == image


def test_another_clone_of_the_same_files_has_the_same_image(clone: Clone, tmp_path: Path) -> None:
    copy_of_project(tmp_path)
    shutil.copytree(clone.folder / "service", tmp_path / "service", dirs_exist_ok=True)  # as other tests left it
    command = "from infra.image import *; print(content_hash(ROOT, 'session-context-base:bookworm')[:TAG_DIGITS])"
    image = clone._run(["bash", "-c", f'cd {tmp_path} && .venv/bin/python -c "{command}"'], fails=False)
    assert clone.outputs()["image"] == f"session-context-api:{image.strip()}"


def test_a_new_generation_takes_over_without_a_failed_request(clone: Clone) -> None:
    before = clone.containers()
    clone.set("replicas", 2)
    clone.set("ttl", 60)
    clone.change_service()
    failures: list[str] = []
    done = threading.Event()
    asked = [0]

    def ask() -> None:
        while not done.is_set():
            answer = clone.request("POST", "/sessions", json={"userId": 1, "context": "under way"})
            asked[0] += 1
            if answer.status_code != 201:
                failures.append(f"{answer.status_code} {answer.text}")

    client = threading.Thread(target=ask)
    client.start()
    try:
        clone.make("up")
    finally:
        done.set()
        client.join()
    assert failures == []
    assert asked[0] > 50
    after = clone.containers()
    assert len(after) == 2
    assert not set(after) & set(before)
    assert clone.targets() == [f"{name}:8080" for name in after]
    assert clone.records()[0]["TTL"] == 60
    clone.pulumi(NO_CHANGE)


def test_drift_is_seen_and_mended(clone: Clone) -> None:
    service, route = "/services/session-context-management-service", "/routes/session-context-management-route"
    requests.patch(clone.admin + service, json={"retries": None, "read_timeout": 1}, timeout=10).raise_for_status()
    requests.delete(clone.admin + route, timeout=10).raise_for_status()
    clone.change_record("UPSERT", ResourceRecords=[{"Value": "192.0.2.66"}])

    seen = clone.pulumi("preview --diff --refresh")
    assert "read_timeout" in seen
    assert "retries" in seen
    assert "192.0.2.66" in seen
    told = clone.pulumi("refresh --yes")
    assert "3 changes" in told or ("1 deleted" in told and "2 updated" in told), told

    clone.make("up")
    assert clone.kong(service)["read_timeout"] == 12000
    assert clone.kong(service)["retries"] == 5
    assert clone.kong(route)["hosts"] == [HOSTNAME]
    assert clone.records()[0]["ResourceRecords"] == [{"Value": "127.0.0.1"}]
    clone.pulumi(NO_CHANGE)


def test_after_kill_9_while_a_container_is_made_the_next_up_converges(clone: Clone) -> None:
    before = set(clone.containers())
    clone.change_service()
    running = clone.start("up")
    wait_for(lambda: set(clone.containers()) - before, seconds=90)
    clone.kill_engine()
    running.wait(timeout=30)
    orphans = set(clone.containers()) - before
    assert orphans

    told = clone.make("up")
    assert "Removing the lock" in told
    assert len(clone.containers()) == 2
    assert not set(clone.containers()) & (before | orphans)
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    clone.pulumi(NO_CHANGE)


def test_a_container_removed_by_hand_comes_back(clone: Clone) -> None:
    gone = clone.containers()[0]
    clone._run(["docker", "rm", "-f", gone], fails=False)
    clone.make("up")
    assert len(clone.containers()) == 2
    assert gone not in clone.containers()
    clone.pulumi(NO_CHANGE)


def test_wrong_config_stops_the_preview_with_one_message_that_names_it_all(clone: Clone) -> None:
    good = clone.file.read_text()
    for key, value in {
        "hostname": "not a name",
        "hostedZoneId": "",
        "gatewayAddresses": ["10.0.0.1", "300.1.1.1"],
        "ttl": "soon",
        "kongAdminUrl": "kong:8001",
        "kongAdminToken": "in the clear",
        "containerHost": "moon",
        "replicas": 17,
        "replica": 2,
    }.items():
        clone.set(key, value)
    try:
        told = clone.pulumi("preview", fails=True)
    finally:
        clone.file.write_text(good)
    for key in (
        "hostname must", "hostedZoneId is missing", "gatewayAddresses must contain", "ttl must",
        "kongAdminUrl must", "kongAdminToken is stored in plain text", "containerHost must",
        "replicas must", "unknown config key replica",
    ):  # fmt: skip
        assert key in told, told
    assert not has_traceback(told)


def test_secrets_are_in_the_clear_neither_in_previews_nor_in_the_state(clone: Clone) -> None:
    good = clone.file.read_text()
    clone.pulumi("config set --secret kongAdminToken canary-token")
    clone.pulumi("config set --secret databaseUrl sqlite:////app/data/canary.db")
    assert "canary" not in clone.pulumi("preview --diff")
    assert "canary" not in clone.pulumi("up --yes")
    state = clone.pulumi("stack export")
    assert "kongAdminToken" not in state
    assert "ciphertext" in state
    assert "canary" not in state
    clone.file.write_text(good)
    clone.make("up")


def test_the_platform_can_move_to_other_ports(clone: Clone) -> None:
    clone.ports = {name: free_port() for name in clone.ports}
    clone.make("up")
    assert clone.request("GET", "/sessions").status_code == 200
    assert clone.records()[0]["Name"] == f"{HOSTNAME}."
    clone.pulumi(NO_CHANGE)


def test_a_wrong_admin_url_is_mended_by_the_right_one(clone: Clone) -> None:
    clone.set("kongAdminUrl", "http://127.0.0.1:9")
    assert "Admin API at http://127.0.0.1:9 is unreachable" in clone.pulumi("up --yes", fails=True)
    clone.make("up")
    clone.pulumi(NO_CHANGE)


def test_a_second_clone_leaves_the_first_alone(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path)
    other.stack, other.ports = clone.stack, clone.ports
    (tmp_path / f"Pulumi.{other.stack}.yaml").write_text(clone.file.read_text())
    assert f"belongs to the clone in {clone.folder}" in other.make("up", fails=True)
    other.make("down")
    assert clone.request("GET", "/sessions").status_code == 200


def test_a_taken_port_is_named_with_a_way_out(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path)
    other.ports = clone.ports
    assert f"port {clone.ports['PROXY_PORT']} is taken" in other.make("up", fails=True)
    other.make("down")
    assert other.left_behind() == []
