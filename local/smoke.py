"""`make smoke`: one session made and found again through the gateway, as a client would."""

import time

import requests

from local import stack
from local.machine import LocalError, Machine
from local.steps import say, step

LIVE_SECONDS = 30
NOT_SERVED = {"redirect": requests.codes.permanent_redirect, "refuse": requests.codes.upgrade_required}
"""What a request over plain HTTP gets, by the stack's `plainHttp`."""

NO_ROUTE = "no Route matched with those values"


def smoke(machine: Machine) -> None:
    """Create a session and list it by Host name; another host must get Kong's own 404. Raises `LocalError`.

    Where the stack has the route for HTTPS alone, plain HTTP must be turned away; the gateway of this machine
    publishes no other port.
    """
    url = f"http://127.0.0.1:{machine.proxy_port}"
    hostname = stack.outputs(machine)["record"]["name"]
    mine, other = {"Host": hostname, **stack.key(machine)}, {"Host": "other.example"}
    context = f"made by the smoke test at {time.time():.0f}"
    try:
        with step(f"A request through the gateway, for {hostname}"):
            first = _when_live(f"{url}/sessions", mine)
            turned_away = NOT_SERVED.get(stack.plain_http(machine))
            if turned_away:
                if first.status_code != turned_away:
                    raise LocalError(f"plain HTTP got {first.status_code} {first.text} instead of {turned_away}")
                say(f"Plain HTTP gets {turned_away}, as plainHttp says; HTTPS has no port on this machine")
                return
            made = requests.post(
                f"{url}/sessions", json={"userId": 1, "context": context}, headers=mine, timeout=30
            )
            if made.status_code != requests.codes.created:
                raise LocalError(f"the API answered {made.status_code} to a new session: {made.text}")
            listed = requests.get(f"{url}/sessions", headers=mine, timeout=30)
        if made.json() not in listed.json():
            raise LocalError(f"session {made.text} is not in the list")
        refused = requests.get(f"{url}/sessions", headers=other, timeout=30)
        if refused.status_code != requests.codes.not_found or refused.json()["message"] != NO_ROUTE:
            raise LocalError(f"another host got {refused.status_code} {refused.text} instead of Kong's 404")
    except requests.RequestException as error:
        raise LocalError(f"no answer through the gateway at {url}: {error}") from error
    say(f"Session {made.json()['sessionId']} was created and listed; another host gets Kong's 404")


def _when_live(url: str, headers: dict[str, str]) -> requests.Response:
    """The first answer that is the route's: Kong makes changes live within a few seconds, not at once."""
    deadline = time.monotonic() + LIVE_SECONDS
    while True:
        answer = requests.get(url, headers=headers, allow_redirects=False, timeout=30)
        if answer.status_code not in (requests.codes.not_found, requests.codes.service_unavailable):
            return answer
        if time.monotonic() > deadline:
            raise LocalError(f"the route is not live {LIVE_SECONDS} s after `pulumi up`")
        time.sleep(0.2)
