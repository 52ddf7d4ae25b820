"""The only reader of `pulumi.Config`."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar, cast

import pulumi
from pulumi.runtime import config as runtime

from infra.config.parsers import InvalidValueError, boolean

_Value = TypeVar("_Value")


class ConfigReader:
    """Reads values one by one and collects what is wrong with each, so that all errors are reported at once.

    A rejected value is None, whatever its type says. So no value may be used before `errors` is known to be empty,
    or `accepted` says that this one is valid.
    """

    def __init__(self) -> None:
        self._config = pulumi.Config()
        self.known: set[str] = set()
        """The keys that have been read."""
        self._rejected: set[str] = set()
        self.errors: list[str] = []

    def reject(self, error: str) -> None:
        """Add an error that is not about one value alone."""
        self.errors.append(error)

    def accepted(self, *keys: str) -> bool:
        """Whether none of these keys has been rejected."""
        return self._rejected.isdisjoint(keys)

    def required(self, key: str, parse: Callable[[str], _Value]) -> _Value:
        """Read a value that must not be empty."""
        value = self.optional(key, parse)
        if value is None and self.accepted(key):
            self._reject(key, f"is missing; set it with `pulumi config set {key} VALUE`")
        return cast("_Value", value)

    def optional(self, key: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Read a value; None when it is empty."""
        return self._check(key, lambda: parse(value) if (value := self._config.get(key)) else None)

    def structured(self, key: str, parse: Callable[[object], _Value]) -> _Value:
        """Read a list or a map."""
        return self._check(key, lambda: parse(self._get_object(key)))

    def secret(self, key: str, parse: Callable[[str], str] = str) -> str | None:
        """Read a value that must be encrypted in the stack's file; None when it is empty."""

        def read() -> str | None:
            value = self._config.get(key)
            if not value:
                return None
            self._require_encrypted(key, key)
            return parse(value)

        return self._check(key, read)

    def key_pair(self, certificate_key: str, private_key: str) -> tuple[str | None, str | None]:
        """Read a certificate and its private key, both secrets in PEM; both None when they are empty."""
        certificate, key = self.secret(certificate_key), self.secret(private_key)
        if certificate and key:
            from infra import tls  # loading cryptography takes a tenth of a preview's time

            if error := tls.pair_error(certificate, key, (certificate_key, private_key)):
                self._rejected |= {certificate_key, private_key}
                self.reject(error)
        elif self.accepted(certificate_key, private_key) and (certificate or key):
            self.reject(f"{certificate_key} and {private_key} belong together: set both or neither")
        return certificate, key

    def secret_map(self, key: str, parse: Callable[[object], dict[str, str]]) -> dict[str, str]:
        """Read a map whose values must be encrypted in the stack's file."""

        def read() -> dict[str, str]:
            value = self._get_object(key)
            if value:
                self._require_encrypted(key, f"--path '{key}.NAME'")
            return parse(value or {})

        return self._check(key, read) or {}

    def provider_flag(self, provider: str, key: str) -> bool:
        """Read `PROVIDER:KEY`, such as kong:adopt, which is set for one run and is no config of the stack."""
        name = f"{provider}:{key}"
        return self._check(name, lambda: boolean(pulumi.Config(provider).get(key) or "false"))

    def reject_keys(self, reasons: Mapping[str, str]) -> None:
        """Reject each of these keys that has a value, with the reason."""
        for key, reason in reasons.items():
            self.known.add(key)
            if self._config.get(key) not in (None, "", "[]", "{}", "false"):
                self._reject(key, f"has no effect here: {reason}. Remove it")

    def ignore_keys(self, keys: Iterable[str]) -> None:
        """Take these for known without reading them."""
        self.known.update(keys)

    def reject_unknown_keys(self, given: Mapping[str, str]) -> None:
        """Reject each key of this project, of Kong or of Docker that nothing reads."""
        prefix = f"{pulumi.get_project()}:"
        for name in sorted(given):
            key = name.removeprefix(prefix)
            if key in self.known:
                continue
            if name.startswith(prefix):
                similar = get_close_matches(key, self.known, n=1)
                advice = f"did you mean {similar[0]}?" if similar else "Pulumi.yaml describes every key"
                self.reject(f"unknown config key {key}; {advice}")
            elif name.startswith("kong:"):
                self.reject(f"unknown config key {name}; the only key of kong is kong:adopt")
            elif name.startswith("docker:"):
                self.reject(f"unknown config key {name}; set the Docker engine with dockerHost")

    def _check(self, key: str, read: Callable[[], _Value]) -> _Value:
        self.known.add(key)
        try:
            return read()
        except InvalidValueError as error:
            self._reject(key, str(error))
            return cast("_Value", None)

    def _reject(self, key: str, reason: str) -> None:
        self._rejected.add(key)
        self.reject(f"{key} {reason}")

    def _get_object(self, key: str) -> object:
        try:
            return self._config.get_object(key)
        except pulumi.ConfigTypeError:
            return "not JSON"  # the SDK's own error would repeat a secret, and not say what is expected

    def _require_encrypted(self, key: str, argument: str) -> None:
        if not runtime.is_config_secret(self._config.full_key(key)):
            raise InvalidValueError(
                f"is stored in plain text; encrypt it with `pulumi config set --secret {argument}`"
            )


def as_output(secret: str | None) -> pulumi.Output[str] | None:
    """Return a secret as the engine must see it; None for none."""
    return None if secret is None else pulumi.Output.secret(secret)
