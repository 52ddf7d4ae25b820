"""The config of the stacks in git, loaded with changes."""

import asyncio
import contextvars
import json
from collections.abc import Mapping

import pulumi
import pytest
from pulumi.runtime import config as runtime
from pulumi.runtime import mocks, settings

from infra import config
from infra.paths import ROOT
from infra.plan import stack_file


def load_stack(
    stack: str, given: Mapping[str, object], secrets: Mapping[str, object] | None = None
) -> config.StackConfig:
    """Load the config of a stack, changed; `secrets` are as if encrypted in the stack's file."""
    values, encrypted = stack_file.read_config(ROOT / f"Pulumi.{stack}.yaml")
    project = stack_file.project_name()
    for key, value in {**given, **(secrets or {})}.items():
        values[key if ":" in key else f"{project}:{key}"] = value if isinstance(value, str) else json.dumps(value)

    async def read() -> config.StackConfig:
        runtime.set_all_config(values, [*encrypted, *(f"{project}:{key}" for key in secrets or {})])
        settings.configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call] # the SDK's own has no types
                monitor=None, engine=mocks.MockEngine(None), project=project, stack=stack, dry_run=True
            )
        )
        return config.load()

    # The SDK keeps settings and open outputs in the context: they end with it.
    return contextvars.copy_context().run(asyncio.run, read())


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
