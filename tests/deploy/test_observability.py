"""The dashboard and the alerts, on what Prometheus reads of a service under load."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from local.debian import find_program
from local.workspace import ROOT
from tests.ports import free_port
from tests.service.processes import Peer, Process, Service, running
from tests.waiting import wait_for

FOLDER = ROOT / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
ALERTS = [rule["alert"] for rule in RULES]
PANELS = {
    panel["title"]: [target["expr"] for target in panel["targets"]]
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]
}


class Prometheus(Process):
    """A real Prometheus that reads one service every second, and evaluates the alerts as often."""

    def __init__(self, folder: Path, service: Service) -> None:
        port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(FOLDER / "alerts.yml")],
            "scrape_configs": [
                {
                    "job_name": "session-context",
                    "static_configs": [{"targets": [service.url.removeprefix("http://")]}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [
            find_program("prometheus"),
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        super().__init__(command, {}, folder, port)
        wait_for(lambda: requests.get(f"{self.url}/-/ready", timeout=10).ok)

    def query(self, expression: str) -> list[Any]:
        """Query the samples of an expression."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        samples: list[Any] = answer.json()["data"]["result"]
        return samples

    def alerts(self) -> set[str]:
        """List the alerts whose expression is true, also if not for long enough yet to fire."""
        active = {sample["metric"]["alertname"] for sample in self.query("ALERTS")}
        return active - {"SessionContextSlow"}  # as slow as this machine


@contextmanager
def load(service: Service) -> Iterator[None]:
    """Use every operation, again and again, also in ways that fail."""
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            created = service.create(context="hello")
            path = created.headers.get("Location", "/sessions/1")
            service.request("GET", path)
            service.request("PUT", path, json={"context": "again"})
            service.request("GET", "/sessions?limit=10")
            service.request("GET", "/nothing")
            service.request("GET", "/readyz")
            stop.wait(0.02)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def promtool(*arguments: object, stdin: str = "") -> None:
    command = [find_program("promtool", "prometheus"), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_dashboard_and_alerts_read_a_service_under_load(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        promtool("check", "metrics", stdin=service.request("GET", "/metrics").text)
        with running(Prometheus(tmp_path, service)) as prometheus:
            with load(service):
                for title, expressions in PANELS.items():
                    for expression in expressions:
                        shown = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
                        assert wait_for(partial(prometheus.query, shown)), f"{title} shows nothing"
                for metric in set(re.findall(r"(\w+)\{", " ".join(rule["expr"] for rule in RULES))):
                    assert prometheus.query(f"count({metric})"), f"{metric} is not a metric"
                assert prometheus.alerts() == set()
                peer.behave("500")
                failing = {"SessionContextErrors", "SessionContextSequencerFailing"}
                assert wait_for(lambda: prometheus.alerts() == failing)
            service.kill()
            assert wait_for(lambda: {"SessionContextDown", "SessionContextReplicaDown"} <= prometheus.alerts())


def test_promtool_accepts_the_configuration() -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")


def test_each_alert_is_raised_by_its_cause() -> None:
    promtool("test", "rules", FOLDER / "alerts.test.yml")
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    expected = [case for test in tests for case in test.get("alert_rule_test", []) if "exp_alerts" in case]
    assert {case["alertname"] for case in expected} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_in_the_documentation(alert: str) -> None:
    assert f"| `{alert}` |" in (ROOT / "docs" / "operations.md").read_text()


def test_replicas_are_found_by_a_label_that_they_have() -> None:
    (scrape,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (label,) = scrape["docker_sd_configs"][0]["filters"][0]["values"]
    resources = yaml.safe_load((ROOT / "plans" / "prod.yaml").read_text())["resources"]
    replica = resources["docker:index/container:Container::session-context-1"]["inputs"]
    assert label in [f"{each['label']}={each['value']}" for each in replica["labels"]]
