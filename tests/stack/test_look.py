"""The commands to look at a deployed stack: `make status`, `logs`, `drift`, `graph` and `open`."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast
from xml.etree import ElementTree

import pytest
import requests

from tests.stack.clone import HOSTNAME, Clone, docker_client
from tests.waiting import wait_for


def read_status(clone: Clone) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(clone.make("-s", "status", "JSON=1").splitlines()[-1])
    return status


@contextmanager
def running(clone: Clone, *targets: str) -> Iterator[TextIO]:
    """Yield the output of a command that runs until it is terminated, which it is also after a failure."""
    with clone.start("-s", *targets, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield cast("TextIO", process.stdout)
        finally:
            process.terminate()


def test_the_status_shows_each_part_of_the_stack(clone: Clone) -> None:
    clone.request("POST", "/sessions", json={"userId": 7, "context": "counted"})
    status = read_status(clone)
    outputs, [name] = clone.outputs(), clone.containers()
    assert status["ok"], status
    assert status["stack"] == clone.stack
    assert status["api"]["status"] == 200
    assert [(each["name"], each["health"], each["deployed"]) for each in status["replicas"]["containers"]] == [
        (name, "healthy", True)
    ]
    assert status["gateway"]["targets"] == [{"target": f"{name}:8080", "health": "HEALTHY"}]
    assert status["record"]["targets"] == ["127.0.0.1"]
    assert status["image"]["name"] == outputs["image"]
    assert status["certificate"]["days"] > 300
    assert status["lastUpdate"]["result"] == "succeeded"
    assert status["sessions"]["count"] == len(clone.request("GET", "/sessions").json())


def test_the_status_of_a_broken_stack_says_what_is_wrong(clone: Clone) -> None:
    [name] = clone.containers()
    clone.change_record("UPSERT", ResourceRecords=[{"Value": "127.0.0.9"}])
    with docker_client() as client:
        client.containers.get(name).pause()
        printed = clone.make("status")
        client.containers.get(name).unpause()
        wait_for(lambda: client.containers.get(name).health == "healthy", seconds=60)
    clone.change_record("UPSERT", ResourceRecords=[{"Value": "127.0.0.1"}])
    assert f"Stack {clone.stack}: needs attention" in printed
    assert "0 of 1 healthy" in printed
    assert f"{name}  paused" in printed
    assert f"{HOSTNAME} points to 127.0.0.9, differs: 127.0.0.1 is declared" in printed
    assert "\x1b" not in printed


def test_the_status_without_docker_and_gateway_still_shows_the_rest(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(clone.variables, "DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setitem(clone.ports, "PROXY_PORT", 9)
    printed = clone.make("status")
    assert "no answer from http://127.0.0.1:9/sessions" in printed
    assert "Cannot connect to the Docker daemon at unix:///nowhere" in printed
    assert f"{HOSTNAME} points to 127.0.0.1, as declared" in printed


def test_the_status_says_that_no_session_can_be_created(redeployed: Clone) -> None:
    assert read_status(redeployed)["sequencer"] == {"ok": True, "states": {}}
    redeployed.set("sequenceServiceUrl", "http://127.0.0.1:9")
    redeployed.pulumi("up --yes --skip-preview")
    assert set(read_status(redeployed)["sequencer"]["states"].values()) == {"not asked yet"}
    assert redeployed.request("POST", "/sessions", json={"userId": 1}).status_code == 503
    status = read_status(redeployed)
    assert not status["ok"]
    assert not status["sequencer"]["ok"]
    assert set(status["sequencer"]["states"].values()) == {"unavailable"}


def test_drift_is_reported_with_exit_code_2_and_left_as_it_is(clone: Clone) -> None:
    assert "Nothing differs" in clone.make("drift")
    [name] = clone.containers()
    service = f"{clone.admin}/services/{clone.outputs()['kong']['service']}"
    requests.patch(service, json={"retries": 9}, timeout=10).raise_for_status()
    clone.change_record("DELETE")
    with docker_client() as client:
        client.containers.get(name).pause()
        printed = clone.shell("python -m local drift; echo exit code $?")
        client.containers.get(name).unpause()
    assert "3 resources differ from the state" in printed
    assert "KongService session-context: retries is 9, and 5 in the state" in printed
    assert "Record session-context: does not exist" in printed
    assert f"Container {name}: is paused" in printed
    assert printed.endswith("exit code 2\n")
    assert clone.kong("/services/session-context-management-service")["retries"] == 9
    clone.make("up")
    assert "Nothing differs" in clone.make("drift")


def test_a_changed_config_is_no_drift(edited: Clone) -> None:
    edited.pulumi("config set kong:adopt true")
    edited.set("requestsPerMinute", 1234)
    assert "Nothing differs" in edited.make("drift")


def test_drift_that_can_not_be_read_is_an_error(clone: Clone) -> None:
    with docker_client() as client:
        gateway = client.containers.get(f"session-context-{clone.stack}-gateway")
        gateway.stop(timeout=0)
        printed = clone.shell("python -m local drift; echo exit code $?")
    clone.make("up")
    assert printed.endswith("exit code 1\n")
    assert f"{clone.admin} is unreachable" in printed


def test_drift_without_docker_says_what_to_do(clone: Clone) -> None:
    printed = clone.shell("export DOCKER_HOST=unix:///nowhere; python -m local drift; echo exit code $?")
    assert "Error: no Docker engine answers at unix:///nowhere. Start it, or unset DOCKER_HOST." in printed
    assert printed.endswith("exit code 1\n")


def test_the_log_of_a_request_is_followed_across_an_update(redeployed: Clone) -> None:
    clone = redeployed
    [old] = clone.containers()
    with running(clone, "logs", "JSON=1", "REQUEST=look-1") as output:
        for number in (1, 2):
            clone.request("GET", "/sessions", headers={"X-Request-ID": "look-1"})
            line = json.loads(output.readline())
            assert (line["requestId"], line["replica"]) == ("look-1", clone.containers()[0])
            if number == 1:
                clone.set("maxContextBytes", 1000)
                clone.pulumi("up --yes --skip-preview")
    assert clone.containers() != [old]
    printed = clone.make("logs", "FOLLOW=0")
    assert " GET /sessions 200 " in printed
    assert printed.count("Application startup complete.") == 1
    assert "\x1b" not in printed


def test_the_graph_has_the_deployed_resources_by_their_real_names(clone: Clone, tmp_path: Path) -> None:
    clone.make("graph", f"FILE={tmp_path / 'stack.svg'}")
    root = ElementTree.parse(tmp_path / "stack.svg").getroot()  # noqa: S314 - our own
    shown = [str(each.text) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Image", "DockerHost", "Gateway", "DnsRecord"} <= set(shown)
    assert {*clone.containers(), *clone.targets(), HOSTNAME, clone.outputs()["image"]} <= set(shown)


def test_the_docs_page_is_opened_through_the_gateway(clone: Clone) -> None:
    clone.variables["BROWSER"] = "true"
    with running(clone, "open") as output:
        found = re.search(r"http://127\.0\.0\.1:\d+", output.readline())
        assert found
        page = requests.get(f"{found[0]}/docs", timeout=10)
        created = requests.post(f"{found[0]}/sessions", json={"userId": 7, "context": "tried"}, timeout=10)
        elsewhere = requests.get(f"{found[0]}/docs", headers={"Host": "attacker.example"}, timeout=10)
    del clone.variables["BROWSER"]
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "Via" in page.headers
    assert created.status_code == 201
    assert elsewhere.status_code == 421


def test_the_status_is_refreshed_until_it_is_interrupted(clone: Clone) -> None:
    with running(clone, "status", "JSON=1", "WATCH=1") as output:
        seen = [json.loads(output.readline())["stack"] for _ in range(2)]
    assert seen == [clone.stack] * 2
