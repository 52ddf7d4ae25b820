"""Kong's Admin API over HTTP: requests and its errors in plain words. It knows nothing of Pulumi."""

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import LocationParseError

from infra.kong.provider import diagnosis
from infra.kong.provider.errors import (
    AdminApiDeniedError,
    AdminApiError,
    AdminApiUnreachableError,
    AdminApiUnusableError,
    InvalidEntityError,
    Json,
    NameTakenError,
    UnfitKongError,
)

TIMEOUT_SECONDS = (2.5, 6.5)  # to connect, and between two bytes of an answer
RETRIES = 3  # with these times and pauses a call to a Kong that is silent ends within 40 s
BACKOFF_SECONDS = 0.3
REFRESH_SECONDS = {"db_update_propagation": 0, "db_update_frequency": 5, "worker_state_update_frequency": 5}
"""Kong's settings and their defaults: kong/templates/kong_defaults.lua."""

REBUILD_SECONDS = 1
ASK_AGAIN = (500, 502, 503, 504)
DENIED = (401, 403, 407)
OLDEST = (3, 4)
FIELDS_SINCE = {
    (3, 1): "an upstream's use_srv_name",
    (3, 2): "a plugin's instance_name",
    (3, 4): "rate-limiting's sync_rate",
}
"""What a Kong before these versions does not know: kong/db/migrations/core, kong/clustering/compat."""

VERSION = re.compile(r"(\d+)\.(\d+)")
DBLESS = 12  # kong/db/errors.lua: operation unsupported


class AdminApi:
    """One Kong. Calls are repeated on lost connections and on 5xx, so a `post` may find what it has made itself.

    `wait` is called between two tries, with seconds; what it raises ends the call.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        token_header: str = "Kong-Admin-Token",  # noqa: S107 - a header's name
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._node: Future[Json] | None = None
        self._asking = ThreadPoolExecutor(1)
        self._lock = Lock()
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy for the outside world has no business here
        self._http.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True  # an authority of one's own has
        self._wait = wait
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=64))
        self._has_token = bool(token)
        if token:
            self._http.headers[token_header] = token

    def get(self, *path: str) -> Json | None:
        """One entity, by its id or name; None when it isn't there."""
        if {"", ".", ".."}.intersection(path):  # a URL would lead to something else
            return None
        return self._call("GET", path)

    def put(self, *path: str, body: Json) -> Json | None:
        """Make an entity or replace it whole; None when its parent isn't there."""
        return self._call("PUT", path, body)

    def patch(self, *path: str, body: Json) -> Json | None:
        """Change the given fields of an entity; None when it isn't there."""
        return self._call("PATCH", path, body)

    def post(self, *path: str, body: Json) -> Json | None:
        """Make an entity; None when its parent isn't there."""
        return self._call("POST", path, body)

    def delete(self, *path: str) -> None:
        """Remove an entity. One that isn't there is no error."""
        self._call("DELETE", path)

    def list(self, *path: str) -> Iterator[Json]:
        """All entities of a collection, page by page."""
        page = self._call("GET", path, query="?size=1000")
        while page is not None:
            yield from page["data"]
            if not page.get("next"):
                return
            page = self._call("GET", path, query=f"?size=1000&offset={quote(page['offset'], safe='')}")

    def require_fit(self) -> None:
        """Raises UnfitKongError when this Kong is too old, or nothing can be changed in it."""
        node = self._known_node()
        version = _version(node["version"])
        if version < OLDEST:
            missing = ", ".join(field for since, field in FIELDS_SINCE.items() if version < since)
            raise UnfitKongError(
                f"Kong at {self._url} is {node['version']}, which is too old: it has no {missing}. "
                "Use Kong 3.4 or later, or point kongAdminUrl at one."
            )
        if node["configuration"].get("database") == "off":
            raise self._read_only("it says so itself")

    def refresh_seconds(self) -> float:
        """How long it takes at most until all workers of all nodes act on what was written.

        A node looks for what others have written (kong/cluster_events/init.lua), and then each of its workers
        takes in routes and plugins by timers of their own, which keep no order (kong/runloop/handler.lua,
        `router-rebuild` and `plugins-iterator-rebuild`).
        """
        settings = self._known_node()["configuration"]
        return REBUILD_SECONDS + sum(float(settings.get(name, usual)) for name, usual in REFRESH_SECONDS.items())

    def _read_only(self, message: str) -> UnfitKongError:
        return UnfitKongError(
            f"Kong at {self._url} runs without a database, so nothing can be changed in it ({message}). "
            "Point kongAdminUrl at a Kong with PostgreSQL."
        )

    def _known_node(self) -> Json:
        """What Kong says of itself at the root: asked once, for all threads, and again after a failure.

        Any server answers 404 for what it doesn't know. Only of a Kong does that mean that an entity isn't there.
        """
        with self._lock:
            node = self._node
            if node is None or (node.done() and node.exception()):
                node = self._node = self._asking.submit(self._ask_node)
        return node.result()

    def _ask_node(self) -> Json:
        answer, content = self._exchange("GET", "/")
        if not answer.ok or not _is_node(content):
            raise self._unusable(diagnosis.of_stranger("GET /", answer, _said(answer, content)))
        return content

    def _call(self, method: str, path: tuple[str, ...], body: Json | None = None, query: str = "") -> Json | None:
        self._known_node()
        where = "/" + "/".join(quote(part, safe=":") for part in path)
        answer, content = self._exchange(method, where, body, query)
        if answer.status_code in (requests.codes.no_content, requests.codes.not_found):
            return None
        if answer.ok:
            return content
        raise self._error(f"{method} {where}", answer.status_code, content)

    def _exchange(
        self, method: str, where: str, body: Json | None = None, query: str = ""
    ) -> tuple[requests.Response, Json]:
        """An answer with its JSON object, which may be an error of Kong's."""
        try:
            answer = self._ask(method, self._url + where + query, body)
        except (OSError, UnicodeError, LocationParseError) as error:  # all that requests raises
            fault = diagnosis.of_error(self._url, error)
            raise self._unusable(fault) from error
        try:
            content = {} if answer.status_code == requests.codes.no_content else answer.json()
        except requests.JSONDecodeError:
            content = None
        call, said = f"{method} {where}", _said(answer, content)
        if answer.status_code in DENIED:
            fault = diagnosis.of_denial(call, answer, said, has_token=self._has_token)
            raise AdminApiDeniedError(self._text(fault))
        if answer.status_code >= requests.codes.internal_server_error:
            where_to_look = "Check Kong's log and its database" if content else "No Kong answers behind that"
            raise AdminApiUnreachableError(
                f"{call}: Kong's Admin API at {self._url} answered {answer.status_code}: {said}. {where_to_look}."
            )
        if answer.status_code // 100 == 3 or not isinstance(content, dict):
            raise self._unusable(diagnosis.of_stranger(call, answer, said))
        return answer, content

    def _unusable(self, fault: diagnosis.Fault) -> AdminApiUnusableError:
        kind = AdminApiUnreachableError if fault.passes else AdminApiUnusableError
        return kind(self._text(fault))

    def _text(self, fault: diagnosis.Fault) -> str:
        says = "does not answer" if fault.passes else "can't be used"
        return f"Kong's Admin API {says} at {self._url}: {fault.reason}. {fault.advice}"

    def _ask(self, method: str, url: str, body: Json | None) -> requests.Response:
        """The answer, after as many tries as it takes. The pauses are ours alone: no Retry-After prolongs them."""
        once = partial(self._http.request, method, url, json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        for attempt in range(RETRIES):
            try:
                answer = once()
                if answer.status_code not in ASK_AGAIN:
                    return answer
            except (OSError, UnicodeError, LocationParseError) as error:
                if not diagnosis.of_error(self._url, error).passes:
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
        return AdminApiError(f"{call}: Kong answered {status}: {message}")


def _is_node(content: Json) -> bool:
    return (
        isinstance(content.get("configuration"), dict)
        and isinstance(content.get("version"), str)
        and VERSION.match(content["version"]) is not None
    )


def _version(text: str) -> tuple[int, ...]:
    found = VERSION.match(text)
    return tuple(map(int, found.groups())) if found else ()


def _said(answer: requests.Response, content: object) -> str:
    """The message of an error; of what is no JSON, who says it."""
    if isinstance(content, dict) and "message" in content:
        return str(content["message"])
    server = answer.headers.get("Server")
    return f"{answer.reason}, from {server}" if server else str(answer.reason)
