"""`make smoke`: one session made and found again through the gateway, as a client would."""

import time

import requests

from local import stack
from local.machine import LocalError, Machine
from local.steps import say, step

LIVE_SECONDS = 30
NOT_SERVED = {"redirect": requests.codes.permanent_redirect, "refuse": requests.codes.upgrade_required}
"""What a request over plain HTTP gets, by the stack's `plainHttp`."""

WITHOUT_KEY = requests.codes.unauthorized

NO_ROUTE = "no Route matched with those values"


def smoke(machine: Machine) -> None:
    """Create a session and list it by Host name; another host must get Kong's own 404. Raises `LocalError`.

    Where the stack has the route for HTTPS alone, plain HTTP must be turned away; the gateway of this machine
    publishes no other port. Where it lets in consumers of the platform alone, so must be who has no key. Each of
    Kong's processes takes in a change within a few seconds, and not at once: so what goes wrong is tried again
    for a while.
    """
    hostname = stack.outputs(machine)["record"]["name"]
    key, turned_away = stack.key(machine), NOT_SERVED.get(stack.plain_http(machine))
    if key is None:
        turned_away = turned_away or WITHOUT_KEY
    url = f"http://127.0.0.1:{machine.proxy_port}/sessions"
    deadline = time.monotonic() + LIVE_SECONDS
    with step(f"A request through the gateway, for {hostname}"):
        while True:
            try:
                done = (
                    _is_turned_away(url, hostname, turned_away)
                    if turned_away
                    else _is_served(url, hostname, key or {})
                )
            except (LocalError, requests.RequestException) as error:
                if time.monotonic() > deadline:
                    raise LocalError(f"after {LIVE_SECONDS} s through the gateway at {url}: {error}") from error
                time.sleep(0.2)
            else:
                break
    say(done)


def _is_turned_away(url: str, hostname: str, status: int) -> str:
    answer = requests.get(url, headers={"Host": hostname}, allow_redirects=False, timeout=30)
    if answer.status_code != status:
        raise LocalError(f"plain HTTP got {answer.status_code} {answer.text} instead of {status}")
    if status == WITHOUT_KEY:
        return f"Without a key a request gets {status}; the stack has no consumer of its own to try another with"
    return f"Plain HTTP gets {status}, as plainHttp says; HTTPS has no port on this machine"


def _is_served(url: str, hostname: str, key: dict[str, str]) -> str:
    mine = {"Host": hostname, **key}
    # A session for each try would be in nobody's way, but one is enough.
    first = requests.get(url, headers=mine, params={"limit": 1}, timeout=30)
    if first.status_code != requests.codes.ok:
        raise LocalError(f"the API answered {first.status_code}: {first.text}")
    context = f"made by the smoke test at {time.time():.0f}"
    made = requests.post(url, json={"userId": 1, "context": context}, headers=mine, timeout=30)
    if made.status_code != requests.codes.created:
        raise LocalError(f"the API answered {made.status_code} to a new session: {made.text}")
    listed = requests.get(url, headers=mine, timeout=30)
    if listed.status_code != requests.codes.ok or made.json() not in listed.json():
        raise LocalError(f"session {made.text} is not in the list")
    refused = requests.get(url, headers={"Host": "other.example"}, timeout=30)
    if refused.status_code != requests.codes.not_found or NO_ROUTE not in refused.text:
        raise LocalError(f"another host got {refused.status_code} {refused.text} instead of Kong's 404")
    return f"Session {made.json()['sessionId']} was created and listed; another host gets Kong's 404"
