"""A client of Kong's Admin API, which knows nothing of Pulumi."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from urllib.parse import quote

import requests
from urllib3.exceptions import LocationParseError

from infra.kong.provider.diagnosis import Diagnosis, diagnose_denial, diagnose_error, diagnose_response
from infra.kong.provider.errors import (
    AdminApiDeniedError,
    AdminApiError,
    AdminApiUnreachableError,
    AdminApiUnusableError,
    InvalidEntityError,
    Json,
    NameTakenError,
    UnsupportedKongError,
)
from infra.kong.provider.session import Credentials

TIMEOUT_SECONDS = (2.5, 6.5)
"""The default timeouts: to connect, and between two bytes of a response."""

RETRIES = 3  # with those timeouts and pauses, a call of a silent Kong ends within 40 s
BACKOFF_SECONDS = 0.3
PROPAGATION_DEFAULTS = {"db_update_propagation": 0, "db_update_frequency": 5, "worker_state_update_frequency": 5}
"""Kong's settings and their defaults: kong/templates/kong_defaults.lua."""

REBUILD_SECONDS = 1
RETRY_STATUSES = (500, 502, 503, 504)
DENIED_STATUSES = (401, 403, 407)
MIN_VERSION = (3, 4)
FIELDS_SINCE = {
    (3, 1): "an upstream's use_srv_name",
    (3, 2): "a plugin's instance_name",
    (3, 4): "rate-limiting's sync_rate",
}
"""The fields that came with a version: kong/db/migrations/core, kong/clustering/compat."""

VERSION = re.compile(r"(\d+)\.(\d+)")
DBLESS = 12  # kong/db/errors.lua: operation unsupported


class AdminApi:
    """One Kong. Lost connections and 5xx are retried, so a `post` may conflict with its own first try.

    `timeout_seconds` replaces both default timeouts. `wait` is called with the seconds between two tries; an
    exception from it ends the call.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        timeout_seconds: float | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._node: Future[Json] | None = None
        self._node_reader = ThreadPoolExecutor(1)
        self._lock = Lock()
        self._credentials = credentials or Credentials()
        self._http = self._credentials.open_session()
        self._timeout = (timeout_seconds, timeout_seconds) if timeout_seconds else TIMEOUT_SECONDS
        self._wait = wait

    def get(self, *path: str) -> Json | None:
        """Return an entity by its id or name; None if it does not exist."""
        if {"", ".", ".."}.intersection(path):  # these would name another path
            return None
        return self._call("GET", path)

    def put(self, *path: str, body: Json) -> Json | None:
        """Create an entity or replace all its fields; None if its parent does not exist."""
        return self._call("PUT", path, body)

    def patch(self, *path: str, body: Json) -> Json | None:
        """Update the given fields of an entity; None if it does not exist."""
        return self._call("PATCH", path, body)

    def post(self, *path: str, body: Json) -> Json | None:
        """Create an entity; None if its parent does not exist."""
        return self._call("POST", path, body)

    def delete(self, *path: str) -> None:
        """Delete an entity. It is no error if it does not exist."""
        self._call("DELETE", path)

    def list(self, *path: str) -> Iterator[Json]:
        """Iterate over all entities of a collection, page by page."""
        page = self._call("GET", path, query="?size=1000")
        while page is not None:
            yield from page["data"]
            if not page.get("next"):
                return
            page = self._call("GET", path, query=f"?size=1000&offset={quote(page['offset'], safe='')}")

    def require_supported(self) -> None:
        """Raise `UnsupportedKongError` if this Kong is too old, or its Admin API is read-only."""
        node = self._get_node()
        version = _version(node["version"])
        if version < MIN_VERSION:
            missing = ", ".join(field for since, field in FIELDS_SINCE.items() if version < since)
            raise UnsupportedKongError(
                f"Kong at {self._url} is version {node['version']}, which lacks {missing}. "
                "Use Kong 3.4 or later, or point kongAdminUrl at one."
            )
        if node["configuration"].get("database") == "off":
            raise self._read_only("database = off")

    def propagation_seconds(self) -> float:
        """Return how long it takes at most until all workers of all nodes act on what was written.

        A node polls for changes (kong/cluster_events/init.lua). Then each worker rebuilds its routes and plugins
        by separate timers, in no order (kong/runloop/handler.lua: `router-rebuild`, `plugins-iterator-rebuild`).
        """
        settings = self._get_node()["configuration"]
        return REBUILD_SECONDS + sum(
            float(settings.get(name, default)) for name, default in PROPAGATION_DEFAULTS.items()
        )

    def serves_requests(self) -> bool:
        """Return whether this node of Kong is more than its Admin API."""
        return bool(self._get_node()["configuration"].get("proxy_listeners", True))

    def _read_only(self, message: str) -> UnsupportedKongError:
        return UnsupportedKongError(
            f"Kong at {self._url} runs without a database, so its Admin API is read-only ({message}). "
            "Point kongAdminUrl at a Kong with PostgreSQL."
        )

    def _get_node(self) -> Json:
        """Return what `GET /` says of this Kong: requested once for all threads, and again after a failure.

        Any server returns 404 for an unknown path. Only Kong's 404 means that an entity does not exist.
        """
        with self._lock:
            node = self._node
            if node is None or (node.done() and node.exception()):
                node = self._node = self._node_reader.submit(self._request_node)
        return node.result()

    def _request_node(self) -> Json:
        answer, content = self._exchange("GET", "/")
        if not answer.ok or not _is_node(content):
            raise self._unusable(diagnose_response("GET /", answer, _message(answer, content)))
        return content

    def _call(self, method: str, path: tuple[str, ...], body: Json | None = None, query: str = "") -> Json | None:
        self._get_node()
        location = "/" + "/".join(quote(part, safe=":") for part in path)
        answer, content = self._exchange(method, location, body, query)
        if answer.status_code in (requests.codes.no_content, requests.codes.not_found):
            return None
        if answer.ok:
            return content
        raise self._error(f"{method} {location}", answer.status_code, content)

    def _exchange(
        self, method: str, location: str, body: Json | None = None, query: str = ""
    ) -> tuple[requests.Response, Json]:
        """Return a response with its JSON object, which may be an error of Kong."""
        try:
            answer = self._send(method, self._url + location + query, body)
        except (OSError, UnicodeError, LocationParseError) as error:  # all that requests may raise
            raise self._unusable(diagnose_error(self._url, error)) from error
        try:
            content = {} if answer.status_code == requests.codes.no_content else answer.json()
        except requests.JSONDecodeError:
            content = None
        call, message = f"{method} {location}", _message(answer, content)
        if answer.status_code in DENIED_STATUSES:
            diagnosis = diagnose_denial(call, answer, message, self._credentials)
            raise AdminApiDeniedError(self._explain(diagnosis))
        if answer.status_code >= requests.codes.internal_server_error:
            advice = "Check Kong's log and its database" if content else "No Kong responds behind that address"
            raise AdminApiUnreachableError(
                f"{call}: Kong's Admin API at {self._url} returned {answer.status_code}: {message}. {advice}."
            )
        if answer.status_code // 100 == 3 or not isinstance(content, dict):
            raise self._unusable(diagnose_response(call, answer, message))
        return answer, content

    def _unusable(self, diagnosis: Diagnosis) -> AdminApiUnusableError:
        error = AdminApiUnreachableError if diagnosis.transient else AdminApiUnusableError
        return error(self._explain(diagnosis))

    def _explain(self, diagnosis: Diagnosis) -> str:
        problem = "is unreachable" if diagnosis.transient else "can't be used"
        return f"Kong's Admin API at {self._url} {problem}: {diagnosis.reason}. {diagnosis.advice}"

    def _send(self, method: str, url: str, body: Json | None) -> requests.Response:
        """Send a request, with retries. Their pauses are fixed: no Retry-After prolongs them."""
        once = partial(self._http.request, method, url, json=body, timeout=self._timeout, allow_redirects=False)
        for attempt in range(RETRIES):
            try:
                answer = once()
                if answer.status_code not in RETRY_STATUSES:
                    return answer
            except (OSError, UnicodeError, LocationParseError) as error:
                if not diagnose_error(self._url, error).transient:
                    raise
            self._wait(BACKOFF_SECONDS * 2**attempt)
        return once()

    def _error(self, call: str, status: int, content: Json) -> AdminApiError:
        message = content.get("message", "no message")
        code = content.get("code", 0)
        if code == DBLESS:
            return self._read_only(message)
        if status == requests.codes.conflict:
            return NameTakenError(f"{call}: {message}")
        if status == requests.codes.bad_request:
            return InvalidEntityError(f"{call}: {message}", code, content.get("fields") or {})
        return AdminApiError(f"{call}: Kong returned {status}: {message}")


def _is_node(content: Json) -> bool:
    return (
        isinstance(content.get("configuration"), dict)
        and isinstance(content.get("version"), str)
        and VERSION.match(content["version"]) is not None
    )


def _version(text: str) -> tuple[int, ...]:
    found = VERSION.match(text)
    return tuple(map(int, found.groups())) if found else ()


def _message(answer: requests.Response, content: object) -> str:
    """Return the message of Kong's error, or the reason phrase and the server of any other response."""
    if isinstance(content, dict) and "message" in content:
        return str(content["message"])
    server = answer.headers.get("Server")
    return f"{answer.reason}, from {server}" if server else str(answer.reason)
