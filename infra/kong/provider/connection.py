"""The Kong that the provider is configured for, and what to do when it doesn't answer."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from infra.kong.provider.admin_api import AdminApi
from infra.kong.provider.errors import AdminApiError, AdminApiUnreachableError, AdminApiUnusableError
from infra.plugin import PluginError, pause, warn
from infra.props import UNKNOWN, Props

_Answer = TypeVar("_Answer")


class Kong:
    """Its Admin API, asked by many resources at once."""

    def __init__(self, warn: Callable[[str], None] = warn, wait: Callable[[float], None] = pause) -> None:
        self._api: AdminApi | None = None
        self.warn = warn
        self.wait = wait
        self._told = False
        self._lock = Lock()
        self.adopt = False
        self.mark: str | None = None

    def configure(self, config: Props) -> None:
        """Take in the provider's inputs; PluginError when they can't be used."""
        url = config.get("adminUrl")
        if url != UNKNOWN and not str(url).startswith(("http://", "https://")):
            raise PluginError(f"the Kong provider's adminUrl must be a http:// or https:// URL, not {url!r}")
        header = config.get("tokenHeader") or "Kong-Admin-Token"
        self._api = AdminApi(str(url), token=config.get("token"), token_header=header, wait=self.wait)
        self.adopt = config.get("adopt") in (True, "true")  # the SDK writes a provider's inputs as strings
        self.mark = config.get("mark")

    def call(self, request: Callable[[AdminApi], _Answer]) -> _Answer:
        """What the Admin API answers; PluginError with its reason."""
        if self._api is None:
            raise PluginError("the Kong provider was used before it was configured")
        try:
            return request(self._api)
        except AdminApiUnusableError as error:
            # Many resources fail at once; one long message is enough.
            short = "Kong's Admin API does not answer as it should"
            raise PluginError(str(error) if self._first() else short) from error
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def try_call(self, request: Callable[[AdminApi], _Answer]) -> _Answer | None:
        """What the Admin API says in a preview. When it does not answer, None: a warning is enough there."""
        if self._api is None or self._told:
            return None
        try:
            return request(self._api)
        except AdminApiUnreachableError as error:
            if self._first():
                self.warn(f"{error} This preview goes on without what Kong itself would say.")
            return None
        except AdminApiError as error:
            raise PluginError(str(error)) from error

    def settle(self) -> None:
        """Wait until every worker of Kong acts on what was written."""
        self.wait(self.call(lambda api: api.refresh_seconds()))

    def require(self, _: Props) -> Props:
        """Nothing, when its entities can be changed; PluginError with the reason why not."""
        self.call(lambda api: api.require_fit())
        return {}

    def _first(self) -> bool:
        with self._lock:
            first, self._told = not self._told, True
        return first
