"""The matrix: every outside call of an `up`, and what may go wrong with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.deployment import DESTROY, UP, Deployment
from tests.faults.proxy import Exchange, Fault


class CellError(Exception):
    """A deployment that did not come out of a fault as it should."""


@dataclass(frozen=True)
class Step:
    """An outside call: whose it is, what it looks like, and the call before which it doesn't count."""

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
    """The call is refused each time."""
    exchange.refuse()


def fails_after(exchange: Exchange) -> None:
    """The call has its effect and no answer, each time."""
    exchange.forward()
    exchange.drop()


def times_out(exchange: Exchange) -> None:
    """The call is taken and never answered."""
    exchange.hold()


def _once(deed: Callable[[], None], *, before: bool = False) -> Fault:
    """After the call's effect (or before it) and before its answer, do something; later calls are passed on."""
    done = False

    def fault(exchange: Exchange) -> None:
        nonlocal done
        if done:
            exchange.pass_on()
            return
        done = True
        if before:
            deed()
        answer = exchange.forward()
        if not before:
            deed()
        exchange.answer(answer)

    return fault


WAYS = ("fails before", "fails after its effect", "times out", "engine killed", "plugin killed")


def _faults(step: Step, deployment: Deployment) -> dict[str, Fault]:
    """What each way does with a call."""

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
        """From nothing, through the fault, to nothing. Raises `CellError`."""
        if self.step.update:
            deployment.make("up")
            # Each name comes after those before: moto refuses to make one again while a later one is there.
            deployment.set("hostname", f"x{time.time():.0f}.fountain.coach")
            deployment.change_service()
        said = self.break_up(deployment)
        converge(deployment, said)
        deployment.pulumi(f"{DESTROY} --stack {deployment.stack}")
        if any(left := deployment.live().values()):
            raise CellError(f"after destroy there is still {list(left)}\n{said}")

    def break_up(self, deployment: Deployment) -> str:
        """Run an `up` that meets with the fault; what it said."""
        proxy = deployment.proxies[self.step.party]
        proxy.arm(self.step.call, _faults(self.step, deployment)[self.way], after=self.step.after)
        try:
            said = deployment.broken_up()
        finally:
            proxy.disarm()
            deployment.give_state_back()
        if not proxy.hits:
            raise CellError(f"the run made no such call\n{said}")
        return said


def converge(deployment: Deployment, said: str = "") -> None:
    """`make up`, then an `up` that changes nothing; then the state is what there is. Raises `CellError`."""
    deployment.make("up")
    again = deployment.pulumi(f"{UP} --expect-no-changes --stack {deployment.stack}")
    if wrong := deployment.differences():
        raise CellError(f"after the next up: {'; '.join(wrong)}\n{said}\n{again}")


CELLS = {cell.name: cell for cell in (Cell(step, way) for step in STEPS for way in WAYS)}
