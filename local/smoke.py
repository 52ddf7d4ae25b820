"""`make smoke`: create, read and remove one session through the gateway, as a client would."""

import time
from collections.abc import Callable
from uuid import uuid4

import requests

from local import pulumi_stack, stack_config, tls
from local.console import say, step
from local.waiting import PAUSE_SECONDS
from local.workspace import LocalError, Workspace

LIVE_SECONDS = 60
"""Kong looks up a container that was stopped only every 30 s."""

PLAIN_HTTP_STATUS = {"redirect": requests.codes.permanent_redirect, "refuse": requests.codes.upgrade_required}
"""The status of a plain HTTP request, by the stack's `plainHttp`."""

NO_ROUTE = "no Route matched with those values"
MINIMUM_RATE = 8
"""Requests per minute that the test needs: it sends four, and `make up` may run twice in a minute."""


def smoke(workspace: Workspace) -> None:
    """Use the API by its host name, over plain HTTP and HTTPS, and check that another host gets Kong's own 404.

    A stack that serves HTTPS alone must reject plain HTTP, and one without a consumer of its own must reject a
    request without a key. Raises `LocalError`.
    """
    hostname = pulumi_stack.read_outputs(workspace)["record"]["name"]
    key = stack_config.api_key_header(workspace)
    rejected = PLAIN_HTTP_STATUS.get(stack_config.plain_http(workspace))
    rate = stack_config.requests_per_minute(workspace)
    plain = Api(workspace.proxy_url, hostname, key or {})
    secure = Api(workspace.tls_url, hostname, key or {}, lambda: tls.open_session(workspace, hostname))
    with step(f"Testing the API at {plain.url} and {secure.url} for host {hostname}"):
        accepted = [requests.codes.ok] if key is not None else [requests.codes.unauthorized]
        if rate:
            accepted.append(requests.codes.too_many_requests)
        if rejected:
            plain.call("GET", "/openapi.json", rejected)
        secure.call("GET", "/openapi.json", *accepted)
        if key is None:
            result = "A request without a key gets 401; the stack has no consumer whose key could be tested"
        elif rate and rate < MINIMUM_RATE:
            result = f"The API answers; {rate} requests per minute are too few to test it with a session"
        else:
            result = f"Session {use_session(secure if rejected else plain)} was created, read and removed"
        other = Api(plain.url, "other.example", {})
        if NO_ROUTE not in other.call("GET", "/sessions", requests.codes.not_found).text:
            raise LocalError(
                "the 404 for another host is not Kong's. Check which process listens on the proxy port."
            )
    say(f"{result}; plain HTTP gets {rejected or 'the same as HTTPS'}, and another host Kong's 404")


class Api:
    """The API as a client reaches it: at a URL, by a host name, perhaps with a key."""

    def __init__(
        self,
        url: str,
        hostname: str,
        key: dict[str, str],
        connect: Callable[[], requests.Session] = requests.Session,
    ) -> None:
        self.url = url
        self._connect = connect
        self._headers = {"Host": hostname, **key}

    def call(
        self, method: str, path: str, *expected: int, headers: dict[str, str] | None = None, json: object = None
    ) -> requests.Response:
        """Return the response once its status is an expected one. Raises `LocalError` if it takes too long.

        Kong's workers apply a change within seconds. Beyond a rate limit, Kong says when to try again.
        """
        deadline, is_first = time.monotonic() + LIVE_SECONDS, True
        while True:
            pause = PAUSE_SECONDS
            try:
                with self._connect() as session:
                    response = session.request(
                        method,
                        self.url + path,
                        headers=self._headers | (headers or {}),
                        json=json,
                        allow_redirects=False,
                        timeout=LIVE_SECONDS,
                    )
            except OSError as error:  # of a connection, of TLS, or of an answer
                problem = "no answer in time" if isinstance(error, requests.Timeout) else "connection failed"
            else:
                if response.status_code in expected:
                    return response
                problem = f"status {response.status_code} {' '.join(response.text.split())[:200]}"
                if response.status_code == requests.codes.too_many_requests:
                    pause = float(response.headers.get("Retry-After", 1))
                    problem = f"rate limit reached, retrying after {pause:.0f} s"
                    deadline += pause
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{method} {self.url}{path} still fails after {LIVE_SECONDS} s: {problem}. `make status` "
                    "shows which part of the stack is at fault, and `make logs` what the API says."
                )
            if is_first:
                say(f"  … waiting up to {LIVE_SECONDS} s for {method} {self.url}{path}: {problem}")
                is_first = False
            time.sleep(pause)


def use_session(api: Api) -> int:
    """Create a session, read it and always remove it; return its id. Read no other session.

    The idempotency key makes repeated creates one create, so a lost answer leaves no session.
    """
    created = api.call(
        "POST",
        "/sessions",
        requests.codes.created,
        headers={"Idempotency-Key": f"smoke-test-{uuid4()}"},
        json={"userId": 1, "context": "created by the smoke test"},
    ).json()
    session_id: int = created["sessionId"]
    try:
        read = api.call("GET", f"/sessions/{session_id}", requests.codes.ok).json()
        if read != created:
            raise LocalError(f"session {created} was created, but read as {read}")
    finally:
        # An earlier attempt may have removed it before its answer was lost.
        api.call("DELETE", f"/sessions/{session_id}", requests.codes.no_content, requests.codes.not_found)
    return session_id
