"""`make smoke`: one session created, read and removed again through the gateway, as a client would."""

import time
from uuid import uuid4

import requests

from local import pulumi_stack, stack_config
from local.console import say, step
from local.workspace import LocalError, Workspace

LIVE_SECONDS = 30
NOT_SERVED = {"redirect": requests.codes.permanent_redirect, "refuse": requests.codes.upgrade_required}
"""What a request over plain HTTP gets, by the stack's `plainHttp`."""

WITHOUT_KEY = requests.codes.unauthorized
NO_ROUTE = "no Route matched with those values"
ENOUGH_A_MINUTE = 6
"""A session takes three requests, and `make up` may be run twice in a minute."""


def smoke(workspace: Workspace) -> None:
    """Use the API by Host name; another host must get Kong's own 404. Raises `LocalError`.

    Where the stack has the route for HTTPS alone, plain HTTP must be turned away; the gateway of this machine
    publishes no other port. Where it lets in consumers of the platform alone, so must be who has no key.
    """
    if not pulumi_stack.exists(workspace):
        raise LocalError(f"there is no stack {workspace.stack}: make up first")
    hostname = pulumi_stack.read_outputs(workspace)["record"]["name"]
    key, turned_away = stack_config.api_key_header(workspace), NOT_SERVED.get(stack_config.plain_http(workspace))
    a_minute = stack_config.requests_per_minute(workspace)
    api = Api(f"http://127.0.0.1:{workspace.proxy_port}", hostname, key or {})
    with step(f"A request through the gateway, for {hostname}"):
        if turned_away:
            api.ask("GET", "/sessions", turned_away)
            said = f"Plain HTTP gets {turned_away}, as plainHttp says; HTTPS has no port on this machine"
        elif key is None:
            api.ask("GET", "/sessions", WITHOUT_KEY)
            said = f"Without a key a request gets {WITHOUT_KEY}; the stack has no consumer of its own to try with"
        elif a_minute and a_minute < ENOUGH_A_MINUTE:
            api.ask("GET", "/openapi.json", requests.codes.ok, requests.codes.too_many_requests)
            said = f"The API answers; {a_minute} requests a minute are too few to try it with a session"
        else:
            said = f"Session {use_session(api)} was created, read and removed"
        other = Api(api.url, "other.example", {})
        if NO_ROUTE not in other.ask("GET", "/sessions", requests.codes.not_found).text:
            raise LocalError("another host's 404 is not Kong's own")
    say(f"{said}; another host gets Kong's 404")


class Api:
    """The API as a client reaches it: at a URL, by a host name, perhaps with a key."""

    def __init__(self, url: str, hostname: str, key: dict[str, str]) -> None:
        self.url = url
        self._headers = {"Host": hostname, **key}

    def ask(
        self, method: str, path: str, *expected: int, headers: dict[str, str] | None = None, json: object = None
    ) -> requests.Response:
        """The answer, once its status is an expected one. Raises `LocalError` when it does not come to that.

        Each of Kong's processes takes in a change within a few seconds, and not at once. Past a limit on requests
        it says itself when to come back.
        """
        deadline = time.monotonic() + LIVE_SECONDS
        while True:
            pause = 0.2
            try:
                answer = requests.request(
                    method,
                    self.url + path,
                    headers=self._headers | (headers or {}),
                    json=json,
                    allow_redirects=False,
                    timeout=LIVE_SECONDS,
                )
            except requests.RequestException as error:
                got = str(error)
            else:
                if answer.status_code in expected:
                    return answer
                got = f"{answer.status_code} {answer.text}"
                if answer.status_code == requests.codes.too_many_requests:
                    pause = float(answer.headers.get("Retry-After", 1))
                    say(f"  … past requestsPerMinute, which lets the next request in after {pause:.0f} s")
                    deadline += pause
            if time.monotonic() > deadline:
                raise LocalError(f"after {LIVE_SECONDS} s {method} {self.url}{path} still got {got}")
            time.sleep(pause)


def use_session(api: Api) -> int:
    """Create a session, read it, and remove it again whatever happens; its id. It reads no other.

    The key makes repeated creates one create, so that a lost answer leaves no session. Only a kill can leave one.
    """
    made = api.ask(
        "POST",
        "/sessions",
        requests.codes.created,
        headers={"Idempotency-Key": f"smoke-test-{uuid4()}"},
        json={"userId": 1, "context": "made by the smoke test"},
    ).json()
    session_id: int = made["sessionId"]
    try:
        read = api.ask("GET", f"/sessions/{session_id}", requests.codes.ok).json()
        if read != made:
            raise LocalError(f"session {made} was created, and {read} was read")
    finally:
        # What an earlier try with a lost answer has removed is not found.
        api.ask("DELETE", f"/sessions/{session_id}", requests.codes.no_content, requests.codes.not_found)
    return session_id
