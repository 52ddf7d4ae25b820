"""Random sequences of up, edit, drift, refresh and destroy; each must end in the declared state."""

import subprocess
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import sampled_from

from tests.faults.cells import CellError, converge
from tests.faults.deployment import DESTROY, UP, Deployment

SERVICE = "/services/session-context-management-service"
ROUTE = "/routes/session-context-management-route"
UPSTREAM = "/upstreams/session_context_management_api"
ADDRESSES = (["127.0.0.1"], ["127.0.0.1", "192.0.2.7"])


class Sequence(RuleBasedStateMachine):
    """What an engineer, and somebody else at the same time, may do in any order."""

    deployment: Deployment

    @initialize()
    def begin(self) -> None:
        """Return what can drift: nothing only after a `destroy`."""
        self.steps: list[str] = []
        self.up()

    def _did(self, what: str) -> None:
        self.steps.append(what)
        print(f"  {what}", flush=True)

    @rule()
    def up(self) -> None:
        self._did("up")
        self.deployment.pulumi(f"{UP} --stack {self.deployment.stack}")
        self.there = True

    @rule(ttl=sampled_from((60, 300, 3600)), addresses=sampled_from(ADDRESSES))
    def edit_record(self, ttl: int, addresses: list[str]) -> None:
        self._did(f"edit ttl {ttl}, gatewayAddresses {addresses}")
        self.deployment.set("ttl", ttl)
        self.deployment.set("gatewayAddresses", addresses)

    @rule(replicas=sampled_from((1, 2)))
    def edit_replicas(self, replicas: int) -> None:
        self._did(f"edit replicas {replicas}")
        self.deployment.set("replicas", replicas)

    @rule()
    def edit_service(self) -> None:
        self._did("edit the service's source")
        self.deployment.change_service()

    @precondition(lambda self: self.there)
    @rule(
        change=sampled_from((
            (SERVICE, {"retries": None, "read_timeout": 1}),
            (ROUTE, {"hosts": ["other.example"], "strip_path": False}),
            (UPSTREAM, {"slots": 100, "tags": None}),
        ))
    )  # fmt: skip
    def drift_in_kong(self, change: tuple[str, dict[str, Any]]) -> None:
        path, fields = change
        self._did(f"drift {path} {fields}")
        requests.patch(self.deployment.admin + path, json=fields, timeout=10)

    @precondition(lambda self: self.there)
    @rule()
    def drift_route_gone(self) -> None:
        self._did("drift: the route is deleted")
        requests.delete(self.deployment.admin + ROUTE, timeout=10)

    @precondition(lambda self: self.there)
    @rule()
    def drift_record(self) -> None:
        self._did("drift: the record leads elsewhere")
        self.deployment.change_record("UPSERT", ResourceRecords=[{"Value": "192.0.2.66"}], TTL=7)

    @precondition(lambda self: self.there)
    @rule(command=sampled_from((["rm", "-f"], ["stop"])))
    def drift_container(self, command: list[str]) -> None:
        self._did(f"drift: docker {' '.join(command)}")
        for container in self.deployment.containers()[:1]:
            subprocess.run(["docker", *command, container], check=True, capture_output=True)

    @rule()
    def refresh(self) -> None:
        self._did("refresh")
        self.deployment.pulumi(f"refresh --yes --run-program --skip-preview --stack {self.deployment.stack}")

    @precondition(lambda self: self.there)
    @rule()
    def destroy(self) -> None:
        self._did("destroy")
        self.deployment.pulumi(f"{DESTROY} --stack {self.deployment.stack}")
        self.there = False

    def teardown(self) -> None:
        self._did("make up")
        converge(self.deployment, f"after {'; '.join(self.steps)}")
        config = self.deployment.config()
        [record] = self.deployment.records()
        declared = config.get("ttl", 300), config["gatewayAddresses"], config.get("replicas", 1)
        addresses = [value["Value"] for value in record["ResourceRecords"]]
        found = record["TTL"], addresses, len(self.deployment.containers())
        if found != declared:
            raise CellError(f"{declared} is declared and {found} is there, after {'; '.join(self.steps)}")


def run(deployment: Deployment, *, sequences: int, steps: int, derandomize: bool) -> None:
    """Run random sequences. Raises `CellError` or `AssertionError` if one ends in another state."""
    machine = type("Sequence", (Sequence,), {"deployment": deployment})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            derandomize=derandomize,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # to shrink a sequence would take an hour
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=steps,  # without it, many a sequence is empty
    )
