"""`make smoke`: one session made and found again through the gateway, as a client would."""

import time

import requests

from local import stack
from local.machine import LocalError, Machine
from local.steps import say, step

LIVE_SECONDS = 30
NO_ROUTE = "no Route matched with those values"


def smoke(machine: Machine) -> None:
    """Create a session and list it by Host name; another host must get Kong's own 404. Raises `LocalError`."""
    url = f"http://127.0.0.1:{machine.proxy_port}"
    hostname = stack.outputs(machine)["record"]["name"]
    mine, other = {"Host": hostname}, {"Host": "other.example"}
    context = f"made by the smoke test at {time.time():.0f}"
    try:
        with step(f"A request through the gateway, for {hostname}"):
            _wait_until_live(f"{url}/sessions", mine)
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


def _wait_until_live(url: str, headers: dict[str, str]) -> None:
    """Kong makes changes live within a few seconds, not at once."""
    deadline = time.monotonic() + LIVE_SECONDS
    while requests.get(url, headers=headers, timeout=30).status_code in (
        requests.codes.not_found,
        requests.codes.service_unavailable,
    ):
        if time.monotonic() > deadline:
            raise LocalError(f"the route is not live {LIVE_SECONDS} s after `pulumi up`")
        time.sleep(0.2)
