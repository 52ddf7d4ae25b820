"""A second stack, such as a pull request's, on the Kong, the engine and the zone of the first."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from local.workspace import PORTS
from tests.stack.clone import HOSTNAME, NO_CHANGES, Clone

RESOURCES = re.compile(r"Resources:\n +(\S+) (\w+)\n")
"""The beginning of Pulumi's summary: if nothing changes, it has one line."""

WORKFLOW = Path(".github", "workflows", "environment.yml")


class Beside:
    """A stack beside the clone's own one, and commands for it."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.stack = f"pr-{clone.stack}"
        self.hostname = f"{self.stack}.{HOSTNAME}"
        self.file = clone.folder / f"Pulumi.{self.stack}.yaml"
        no_ports = dict.fromkeys(PORTS, "")
        self.variables = {"STACK": self.stack, "BESIDE": clone.stack, **no_ports}

    def make(self, *targets: str) -> str:
        self.clone.variables = self.variables
        try:
            return self.clone.make(*targets)
        finally:
            self.clone.variables = {}

    def check_both_serve(self) -> None:
        """Create a session in the second stack, and look for it in both."""
        clone, there = self.clone, {"headers": {"Host": self.hostname}}
        clone.settled(200, "/sessions", **there)
        assert clone.request("POST", "/sessions", json={"userId": 4711}, **there).status_code == 201
        assert 4711 in [session["userId"] for session in clone.request("GET", "/sessions", **there).json()]
        assert 4711 not in [session["userId"] for session in clone.request("GET", "/sessions").json()]
        assert {record["Name"] for record in clone.records()} == {f"{HOSTNAME}.", f"{self.hostname}."}
        clone.pulumi(NO_CHANGES)

    def check_only_the_first_serves(self) -> None:
        clone = self.clone
        answer = clone.settled(404, "/sessions", headers={"Host": self.hostname})
        assert answer.json()["message"] == "no Route matched with those values"
        assert [record["Name"] for record in clone.records()] == [f"{HOSTNAME}."]
        assert clone.request("GET", "/sessions").status_code == 200
        clone.pulumi(NO_CHANGES)


@pytest.fixture
def beside(clone: Clone) -> Iterator[Beside]:
    beside = Beside(clone)
    yield beside
    beside.file.unlink(missing_ok=True)


def test_make_puts_a_stack_beside_another_and_removes_it_alone(beside: Beside) -> None:
    clone = beside.clone
    printed = beside.make("up")
    assert f"Created {beside.file.name} from {clone.file.name}, for host {beside.hostname}" in printed
    assert f"--resolve {beside.hostname}:{clone.ports['TLS_PORT']}:127.0.0.1" in printed
    assert f"To remove it: make down STACK={beside.stack}" in printed
    beside.check_both_serve()
    assert '"ok": true' in beside.make("status", "JSON=1")
    assert f"is used by {beside.stack} too. Run `make down STACK={beside.stack}` first" in clone.make(
        "down", fails=True
    )
    beside.check_both_serve()
    assert f"Its platform is that of stack {clone.stack}, which keeps running" in beside.make("down")
    beside.check_only_the_first_serves()


class PullRequest:
    """The steps of the workflow for pull requests, run in the clone, with a backend of their own."""

    def __init__(self, beside: Beside, folder: Path) -> None:
        self.summary = folder / "summary"
        self._beside = beside
        (folder / "states").mkdir()
        self._environment = {
            **beside.variables,
            "PULUMI_BACKEND_URL": f"file://{folder / 'states'}",
            "PULUMI_CONFIG_PASSPHRASE": "dev",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        steps = yaml.safe_load((beside.clone.folder / WORKFLOW).read_text())["jobs"]["environment"]["steps"]
        self._steps = {step.get("name"): step.get("run") for step in steps}

    def run(self, *names: str) -> str:
        """Run these steps as in a fresh checkout."""
        self._beside.file.unlink(missing_ok=True)
        return "".join(self.shell(self._steps[name]) for name in ("Configure", *names))

    def shell(self, command: str, *, fails: bool = False) -> str:
        clone = self._beside.clone
        clone.variables = self._environment
        try:
            return clone.script(command, fails=fails)
        finally:
            clone.variables = {}


@pytest.fixture
def pull_request(beside: Beside, tmp_path: Path) -> Iterator[PullRequest]:
    pull_request = PullRequest(beside, tmp_path)
    yield pull_request
    pull_request.run("Remove")


def test_a_pull_request_gets_a_stack_of_its_own(beside: Beside, pull_request: PullRequest) -> None:
    pull_request.run("Bring up")
    assert pull_request.summary.read_text() == f"https://{beside.hostname}\n"
    beside.check_both_serve()
    assert {change for _, change in RESOURCES.findall(pull_request.run("Bring up"))} == {"unchanged"}
    pull_request.run("Remove")
    beside.check_only_the_first_serves()


def test_a_stack_with_the_names_of_another_is_refused(beside: Beside, pull_request: PullRequest) -> None:
    beside.file.write_text(beside.clone.file.read_text())
    pulumi = "PATH=$PWD/.local/bin:$PWD/.venv/bin:$PATH pulumi --non-interactive"
    pull_request.shell(f"{pulumi} stack init --no-select $STACK")
    refused = pull_request.shell(f"{pulumi} preview --stack $STACK", fails=True)
    assert "of project session-context owns: run `pulumi config set upstreamName" in refused
    assert "each stack on one Kong needs its own hostname, serviceName, routeName and upstreamName" in refused
