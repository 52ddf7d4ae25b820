"""The Kong that the provider is configured for, and its reaction to failed calls."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.errors import AdminApiError, AdminApiUnreachableError, AdminApiUnusableError
from infra.kong.provider.session import Credentials
from infra.plugin import PluginError, pause, warn
from infra.props import UNKNOWN, Props

_Answer = TypeVar("_Answer")


class Kong:
    """One Kong, called by many resources at once."""

    def __init__(
        self,
        warn: Callable[[str], None] = warn,
        wait: Callable[[float], None] = pause,
    ) -> None:
        self._api: AdminApi | None = None
        self.warn = warn
        self.wait = wait
        self.adopt = False
        self.mark: str | None = None
        self._failure_reported = False
        self._lock = Lock()

    def configure(self, config: Props) -> None:
        """Take the provider's inputs. Raises `PluginError` when they are invalid."""
        url = config.get("adminUrl")
        if url != UNKNOWN and not str(url).startswith(("http://", "https://")):
            raise PluginError(f"adminUrl of the Kong provider must start with http:// or https://, not {url!r}")
        timeout = config.get("timeoutMs")  # the SDK sends a provider's inputs as strings
        self._api = AdminApi(
            str(url),
            credentials=Credentials.from_props(config),
            timeout_seconds=float(timeout) / 1000 if timeout else None,
            wait=self.wait,
        )
        self.adopt = config.get("adopt") in (True, "true")
        self.mark = config.get("mark")

    def call(self, request: Callable[[AdminApi], _Answer]) -> _Answer:
        """Call the Admin API. Raises `PluginError` when that fails."""
        if self._api is None:
            raise PluginError("the Kong provider was used before it was configured")
        try:
            return request(self._api)
        except AdminApiUnusableError as error:
            # Many resources fail at once; one long message is enough.
            message = str(error) if self._is_first_failure() else "Kong's Admin API failed, as reported above"
            raise PluginError(message) from error
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def try_call(self, request: Callable[[AdminApi], _Answer]) -> _Answer | None:
        """Call the Admin API in a preview. If it is unreachable, warn once and return None."""
        if self._api is None or self._failure_reported:
            return None
        try:
            return request(self._api)
        except AdminApiUnreachableError as error:
            if self._is_first_failure():
                self.warn(f"{error} The preview continues without Kong's own validation.")
            return None
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def wait_for_workers(self) -> None:
        """Wait until every worker of Kong acts on what was written."""
        self.wait(self.call(lambda api: api.propagation_seconds()))

    def require_writable(self, _: Props) -> Props:
        """Return no outputs. Raises `PluginError` when entities of this Kong can't be managed."""
        self.call(lambda api: api.require_supported())
        return {}

    def _is_first_failure(self) -> bool:
        with self._lock:
            is_first, self._failure_reported = not self._failure_reported, True
        return is_first
