"""The check of a stack's config before anything is started for the stack."""

import asyncio
import contextvars
import hashlib
import json
from collections.abc import Mapping

from local import stack_config
from local.console import capture
from local.workspace import PROJECT, ROOT, STATE, LocalError, Workspace

ANY_ZONE = "Z0000000000000000000"
"""A valid id in place of that of the zone, which may not exist yet."""


def check(workspace: Workspace) -> None:
    """Raise `LocalError` with everything that is wrong in the config, as the program itself would say it.

    This takes a second, so a config that was valid is checked again only when it or its rules have changed. The
    program checks it in each run.
    """
    platform = stack_config.platform_keys(workspace, zone=ANY_ZONE)
    marker, digest = STATE / f"valid-config-{workspace.stack}", _digest(workspace, platform)
    if marker.is_file() and marker.read_text() == digest:
        return
    command = ["pulumi", "--non-interactive", "config", "--json", "--show-secrets", "--stack", workspace.stack]
    done = capture(command)
    if done.returncode:
        raise LocalError(f"{workspace.config_file.name} can't be read: {done.stderr.strip()}")
    entries = json.loads(done.stdout)
    values = {key: entry.get("value", "") for key, entry in entries.items()} | {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in platform.items()
    }
    secrets = [key for key, entry in entries.items() if entry["secret"]]
    contextvars.copy_context().run(asyncio.run, _load(workspace.stack, values, secrets))
    marker.write_text(digest)


def _digest(workspace: Workspace, platform: Mapping[str, object]) -> str:
    rules = sorted((ROOT / "infra" / "config").glob("*.py"))
    digest = hashlib.sha256(json.dumps(platform).encode())
    for file in (workspace.config_file, ROOT / "Pulumi.yaml", *rules):
        digest.update(file.read_bytes())
    return digest.hexdigest()


async def _load(stack: str, values: Mapping[str, str], secrets: list[str]) -> None:
    import pulumi  # takes a second, which other commands need not wait for
    from pulumi.runtime import config, settings

    from infra.config import load

    config.set_all_config(dict(values), secrets)
    settings.configure(settings.Settings(PROJECT, stack))
    try:
        load()
    except pulumi.RunError as error:
        raise LocalError(str(error)) from error
