"""The config of the stacks in git, loaded with changes."""

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import pulumi
import pytest
from pulumi.runtime import config as runtime
from pulumi.runtime import mocks, settings

from infra import config
from infra.config.reader import ConfigReader
from infra.paths import ROOT
from infra.plan import stack_file

_Result = TypeVar("_Result")


def load_stack(
    stack: str, given: Mapping[str, object], secrets: Mapping[str, object] | None = None
) -> config.StackConfig:
    """Load the config of a stack, changed; `secrets` are as if encrypted in the stack's file."""
    return _run_in_stack(stack, config.load, given, secrets)


def known_keys() -> set[str]:
    """Return the keys that the program reads, without those of providers."""

    def read() -> set[str]:
        reader = ConfigReader()
        config.read_groups(reader)
        return {key for key in reader.known if ":" not in key}

    return _run_in_stack("dev", read, {})


def _run_in_stack(
    stack: str,
    action: Callable[[], _Result],
    given: Mapping[str, object],
    secrets: Mapping[str, object] | None = None,
) -> _Result:
    values, encrypted = stack_file.read_config(ROOT / f"Pulumi.{stack}.yaml")
    project = stack_file.project_name()
    for key, value in {**given, **(secrets or {})}.items():
        values[key if ":" in key else f"{project}:{key}"] = value if isinstance(value, str) else json.dumps(value)

    async def run() -> _Result:
        runtime.set_all_config(values, [*encrypted, *(f"{project}:{key}" for key in secrets or {})])
        settings.configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call] # the SDK's own has no types
                monitor=None, engine=mocks.MockEngine(None), project=project, stack=stack, dry_run=True
            )
        )
        return action()

    # The SDK keeps settings and open outputs in the context: they end with it.
    return contextvars.copy_context().run(asyncio.run, run())


def load(secrets: Mapping[str, object] | None = None, **given: object) -> config.StackConfig:
    """Load the config of the dev stack, changed."""
    return load_stack("dev", given, secrets)


def rejection(secrets: Mapping[str, object] | None = None, **given: object) -> str:
    """Return what is said of a wrong config of the dev stack, without a secret in it."""
    return stack_rejection("dev", given, secrets)


def stack_rejection(stack: str, given: Mapping[str, object], secrets: Mapping[str, object] | None = None) -> str:
    """Return what is said of a wrong config of a stack, without a secret in it."""
    with pytest.raises(pulumi.RunError) as error:
        load_stack(stack, given, secrets)
    assert "canary" not in str(error.value)
    assert "BEGIN" not in str(error.value)
    return str(error.value)
