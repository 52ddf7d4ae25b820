"""Kong's Admin API over HTTP: requests and its errors in plain words. It knows nothing of Pulumi."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

Json = dict[str, Any]

TIMEOUT_SECONDS = (2.5, 6.5)  # to connect, and between two bytes of an answer
RETRIES = 3  # with these times and pauses a call to a Kong that is silent ends within 40 s
BACKOFF_SECONDS = 0.3
REFRESH_SECONDS = {"db_update_propagation": 0, "db_update_frequency": 5, "worker_state_update_frequency": 5}
"""Kong's settings and their defaults: kong/templates/kong_defaults.lua."""

REBUILD_SECONDS = 1
ASK_AGAIN = (500, 502, 503, 504)


class AdminApiError(Exception):
    """The Admin API did not do what was asked.

    ├── AdminApiUnreachableError   nothing answers, or nothing that is a Kong, or one that is broken
    ├── AdminApiDeniedError        the token is missing or wrong
    ├── ReadOnlyKongError          a Kong without a database can't be changed entity by entity
    ├── NameTakenError             another entity has the name already
    └── InvalidEntityError         Kong refuses a field
    """


class AdminApiUnreachableError(AdminApiError):
    """Nothing answers, or nothing that is a Kong, or one that is broken: without its database, for example."""


class AdminApiDeniedError(AdminApiError):
    """The token is missing or wrong."""


class ReadOnlyKongError(AdminApiError):
    """A Kong without a database can't be changed entity by entity."""


class NameTakenError(AdminApiError):
    """Another entity has the name already."""


class InvalidEntityError(AdminApiError):
    """Kong refuses a field, a reference, or the removal of something that others refer to."""

    def __init__(self, message: str, code: int, fields: Json) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields

    def mistakes(self) -> list[tuple[str, str]]:
        """Each field that is wrong, as a path, with Kong's reason."""
        return list(_mistakes(self.fields, "")) or [("", str(self))]


REFERENCED = 4  # kong/db/errors.lua: foreign key violation
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
        self._has_database: bool | None = None
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy for the outside world has no business here
        self._http.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True  # an authority of one's own has
        self._wait = wait
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=64))
        if token:
            self._http.headers[token_header] = token

    def get(self, *path: str) -> Json | None:
        """One entity, by its id or name; None when it isn't there."""
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

    def require_database(self) -> None:
        """Raises ReadOnlyKongError when nothing can be changed in this Kong."""
        if self._has_database is None:
            about = self._call("GET", ()) or {}
            self._has_database = (about.get("configuration") or {}).get("database") != "off"
        if not self._has_database:
            raise self._read_only("it says so itself")

    def refresh_seconds(self) -> float:
        """How long it takes at most until all workers of all nodes act on what was written.

        A node looks for what others have written (kong/cluster_events/init.lua), and then each of its workers
        takes in routes and plugins by timers of their own, which keep no order (kong/runloop/handler.lua,
        `router-rebuild` and `plugins-iterator-rebuild`).
        """
        settings = (self._call("GET", ()) or {}).get("configuration") or {}
        return REBUILD_SECONDS + sum(float(settings.get(name, usual)) for name, usual in REFRESH_SECONDS.items())

    def _read_only(self, message: str) -> ReadOnlyKongError:
        return ReadOnlyKongError(
            f"Kong at {self._url} runs without a database, so nothing can be changed in it ({message}). "
            "Point kongAdminUrl at a Kong with PostgreSQL."
        )

    def _call(self, method: str, path: tuple[str, ...], body: Json | None = None, query: str = "") -> Json | None:
        where = "/" + "/".join(quote(part, safe=":") for part in path)
        try:
            answer = self._ask(method, self._url + where + query, body)
        except requests.RequestException as error:
            raise AdminApiUnreachableError(
                f"Kong's Admin API does not answer at {self._url}: {_reason(error)}. "
                "Check kongAdminUrl, and that Kong runs there."
            ) from error
        if answer.status_code == requests.codes.no_content:
            return None
        try:
            content = answer.json()
        except requests.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise AdminApiUnreachableError(
                f"{self._url} answered {method} {where} with {answer.status_code} and no JSON object: "
                "that is no Kong Admin API. Check kongAdminUrl."
            )
        if answer.ok:
            return content
        if answer.status_code == requests.codes.not_found:
            return None
        raise self._error(f"{method} {where}", answer.status_code, content)

    def _ask(self, method: str, url: str, body: Json | None) -> requests.Response:
        """The answer, after as many tries as it takes. The pauses are ours alone: no Retry-After prolongs them."""
        once = partial(self._http.request, method, url, json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        for attempt in range(RETRIES):
            with suppress(requests.RequestException):
                answer = once()
                if answer.status_code not in ASK_AGAIN:
                    return answer
            self._wait(BACKOFF_SECONDS * 2**attempt)
        return once()

    def _error(self, call: str, status: int, content: Json) -> AdminApiError:
        message = content.get("message", "no message")
        code = content.get("code", 0)
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            return AdminApiDeniedError(
                f"Kong's Admin API at {self._url} denies access ({status}: {message}). "
                "Set its token with: pulumi config set --secret kongAdminToken"
            )
        if code == DBLESS:
            return self._read_only(message)
        if status == requests.codes.conflict:
            return NameTakenError(f"{call}: {message}")
        if status == requests.codes.bad_request:
            return InvalidEntityError(f"{call}: {message}", code, content.get("fields") or {})
        if status >= requests.codes.internal_server_error:
            return AdminApiUnreachableError(f"{call}: Kong answered {status}: {message}.")
        return AdminApiError(f"{call}: Kong answered {status}: {message}")


def _mistakes(told: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, dict):
        for name, more in told.items():
            if name == "@entity":  # a list of what is wrong with fields beside each other
                yield from ((path, str(one)) for one in more)
            else:
                yield from _mistakes(more, f"{path}.{name}".lstrip("."))
    elif isinstance(told, list):
        for index, more in enumerate(told):
            yield from _mistakes(more, f"{path}[{index}]")
    elif told is not None:
        yield path, str(told)


def _reason(error: BaseException) -> str:
    """What the operating system said, without the layers that pass it on."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
