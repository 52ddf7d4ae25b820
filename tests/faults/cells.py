"""The matrix: every outside call of an `up`, and what can go wrong with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.deployment import DESTROY, UP, Deployment
from tests.faults.proxy import Exchange, Fault


class CellError(Exception):
    """A deployment that did not recover from a fault."""


@dataclass(frozen=True)
class Step:
    """An outside call: its party, its pattern, and the call before which it does not count."""

    name: str
    party: str
    call: str
    after: str | None = None
    update: bool = False  # of a change to what is deployed, else of a first `up`
    of_state: bool = False  # the fault is in the write of the state that follows


STALL_SECONDS = 5
STARTED = r"POST .*/containers/[0-9a-f]+/start"
STEPS = (
    Step("image build", "docker", r"POST .*/build\?"),
    Step("volume create", "docker", r"POST .*/volumes/create"),
    Step("container create", "docker", r"POST .*/containers/create"),
    Step("container start", "docker", STARTED),
    Step("container health", "docker", r"GET .*/containers/[0-9a-f]+/json", after=STARTED),
    Step("Kong upstream", "kong", r"PUT /upstreams/"),
    Step("Kong target", "kong", r"POST /upstreams/[^/]+/targets"),
    Step("Kong service", "kong", r"PUT /services/"),
    Step("Kong plugin", "kong", r"PUT /plugins/"),
    Step("Kong consumer", "kong", r"PUT /consumers/[^/]+$"),
    Step("Kong key", "kong", r"PUT /(consumers/[^/]+/)?key-auths?/"),
    Step("Kong membership", "kong", r"PUT /consumers/[^/]+/acls/"),
    Step("Kong certificate", "kong", r"PUT /certificates/"),
    Step("Kong SNI", "kong", r"PUT /snis/"),
    Step("Kong route", "kong", r"PUT /routes/"),
    Step("DNS change", "dns", r"POST .*/rrset"),
    Step("DNS in sync", "dns", r"GET .*/change/"),
    Step("state write", "docker", r"POST .*/containers/create", of_state=True),
    Step("image build, update", "docker", r"POST .*/build\?", update=True),
    Step("container create, update", "docker", r"POST .*/containers/create", update=True),
    Step("old target removal", "kong", r"DELETE /upstreams/[^/]+/targets/", update=True),
    Step("old container stop", "docker", r"POST .*/containers/[0-9a-f]+/stop", update=True),
    Step("old container removal", "docker", r"DELETE .*/containers/", update=True),
    Step("Kong route, update", "kong", r"PUT /routes/", update=True),
    Step("DNS change, update", "dns", r"POST .*/rrset", update=True),
    Step("state write, update", "docker", r"POST .*/containers/create", update=True, of_state=True),
)


def fails_before(exchange: Exchange) -> None:
    """Refuse the call each time."""
    exchange.refuse()


def fails_after(exchange: Exchange) -> None:
    """Drop the answer each time, after the call has taken effect."""
    exchange.forward()
    exchange.drop()


def times_out(exchange: Exchange) -> None:
    """Accept the call and never answer."""
    exchange.hold()


def _once(act: Callable[[], None], *, before: bool = False) -> Fault:
    """Act once, after the call has taken effect (or before) and before its answer; forward later calls."""
    done = False

    def fault(exchange: Exchange) -> None:
        nonlocal done
        if done:
            exchange.pass_on()
            return
        done = True
        if before:
            act()
        answer = exchange.forward()
        if not before:
            act()
        exchange.answer(answer)

    return fault


WAYS = ("fails before", "fails after its effect", "times out", "engine killed", "plugin killed")


def _faults(step: Step, deployment: Deployment) -> dict[str, Fault]:
    """Return what each way does with a call."""

    def kill_plugin() -> None:
        deployment.kill_plugin(step.party)

    if not step.of_state:
        return {
            "fails before": fails_before,
            "fails after its effect": fails_after,
            "times out": times_out,
            "engine killed": _once(deployment.kill_engine),
            "plugin killed": _once(kill_plugin),
        }
    # The call is where the state's folder goes away for good, or for a while; or where a kill waits for a write.
    return {
        "fails before": _once(deployment.take_state, before=True),
        "fails after its effect": _once(deployment.take_state),
        "times out": _once(lambda: deployment.take_state(seconds=STALL_SECONDS)),
        "engine killed": _once(lambda: deployment.at_next_write(deployment.kill_engine)),
        "plugin killed": _once(lambda: deployment.at_next_write(kill_plugin)),
    }


@dataclass(frozen=True)
class Cell:
    """One fault."""

    step: Step
    way: str

    @property
    def name(self) -> str:
        return f"{self.step.name}: {self.way}"

    def run(self, deployment: Deployment) -> None:
        """Deploy with the fault, converge, and destroy everything. Raises `CellError`."""
        if self.step.update:
            deployment.make("up")
            # Each name comes after those before: moto refuses to make one again while a later one is there.
            deployment.set("hostname", f"x{time.time():.0f}.fountain.coach")
            deployment.change_service()
        output = self.break_up(deployment)
        converge(deployment, output)
        deployment.pulumi(f"{DESTROY} --stack {deployment.stack}")
        if any(left := deployment.live().values()):
            raise CellError(f"after destroy there is still {list(left)}\n{output}")

    def break_up(self, deployment: Deployment) -> str:
        """Run an `up` that meets the fault, and return its output."""
        proxy = deployment.proxies[self.step.party]
        proxy.arm(self.step.call, _faults(self.step, deployment)[self.way], after=self.step.after)
        try:
            output = deployment.broken_up()
        finally:
            proxy.disarm()
            deployment.give_state_back()
        if not proxy.hits:
            raise CellError(f"the run made no such call\n{output}")
        return output


def converge(deployment: Deployment, output: str = "") -> None:
    """Run `make up`, then an `up` that changes nothing, and compare the state. Raises `CellError`."""
    deployment.make("up")
    again = deployment.pulumi(f"{UP} --expect-no-changes --stack {deployment.stack}")
    if wrong := deployment.differences():
        raise CellError(f"after the next up: {'; '.join(wrong)}\n{output}\n{again}")


CELLS = {cell.name: cell for cell in (Cell(step, way) for step in STEPS for way in WAYS)}
