"""The only reader of `pulumi.Config`."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import config as runtime

from infra.config.parsers import WrongValueError, switch


class ConfigReader:
    """Reads values one by one and keeps what is wrong with each, so that all is reported at once."""

    def __init__(self) -> None:
        self._config = pulumi.Config()
        self._seen: set[str] = set()
        self.wrong: list[str] = []

    def _checked(self, key: str, read: Callable[[], Any], missing: str | None) -> Any:  # noqa: ANN401
        self._seen.add(key)
        try:
            value = read()
        except WrongValueError as error:
            self.wrong.append(f"{key} {error}")
            return None
        if value is None and missing:
            self.wrong.append(f"{key} is missing: {missing}")
        return value

    def text(self, key: str, parse: Callable[[str], Any], *, missing: str | None = None) -> Any:  # noqa: ANN401
        """A value parsed; None when it is empty, which is wrong if `missing` says what to set."""

        def read() -> object:
            value = self._config.get(key)
            return parse(value) if value else None

        return self._checked(key, read, missing)

    def listed(self, key: str, parse: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        """A list parsed."""

        def read() -> object:
            try:
                value = self._config.get_object(key)
            except pulumi.ConfigTypeError:
                value = "no list"  # the error of its own would not say what is wanted
            return parse(value)

        return self._checked(key, read, None)

    def secret(self, key: str, parse: Callable[[str], str] = str) -> str | None:
        """A value that must be encrypted in the stack's file, in the clear; None when it is empty."""

        def read() -> object:
            value = self._config.get(key)
            if not value:
                return None
            self._must_be_secret(key, key)
            return parse(value)

        value: str | None = self._checked(key, read, None)
        return value

    def secrets(self, key: str, parse: Callable[[Any], dict[str, str]]) -> dict[str, str]:
        """A map whose values must be encrypted in the stack's file, in the clear."""

        def read() -> object:
            try:
                value = self._config.get_object(key)
            except pulumi.ConfigTypeError:
                value = "no map"  # the error of its own would repeat it
            if value:
                self._must_be_secret(key, f"--path '{key}.NAME'")
            return parse(value or {})

        values: dict[str, str] = self._checked(key, read, None) or {}
        return values

    def _must_be_secret(self, key: str, how: str) -> None:
        if not runtime.is_config_secret(self._config.full_key(key)):
            raise WrongValueError(f"is in the clear: set it with `pulumi config set --secret {how}`")

    def adopts_in_kong(self) -> bool:
        """The provider's own `kong:adopt`: it says nothing of the stack, and is unset after a run."""
        try:
            return switch(pulumi.Config("kong").get("adopt") or "false")
        except WrongValueError as error:
            self.wrong.append(f"kong:adopt {error}")
            return False

    def has_refused(self, key: str) -> bool:
        """Whether something is wrong with a value already."""
        return any(line.startswith(f"{key} ") for line in self.wrong)

    def reject_unknown_keys(self, given: Mapping[str, str]) -> None:
        """Name each key of this project, of Kong or of Docker that is none of ours: nobody reads its value."""
        prefix = f"{pulumi.get_project()}:"
        for name in sorted(given):
            key = name.removeprefix(prefix)
            if name.startswith(prefix) and key not in self._seen:
                self.wrong.append(f"{key} is no key of this stack: there are {', '.join(sorted(self._seen))}")
            elif name.startswith("kong:") and name != "kong:adopt":
                self.wrong.append(f"{name} is no key of this stack: of Kong there is kong:adopt alone")
            elif name.startswith("docker:"):
                self.wrong.append(f"{name} is no key of this stack: the engine is set by dockerHost")
