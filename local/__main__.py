"""`python -m local VERB`: what `make up`, `down`, `preview`, `status` and the like run."""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress

import docker
from docker.errors import DockerException

from local import (
    backup,
    base_image,
    config_check,
    docker_engine,
    gateway,
    prune,
    pulumi_stack,
    pulumi_tools,
    recovery,
    route53,
    shared_platform,
    stack_config,
)
from local.cluster import lifecycle
from local.console import print_in_any_encoding, say
from local.container_health import explain_unhealthy
from local.drift import drift
from local.environment import bypass_proxies, remove_foreign_variables
from local.failures import add_hint, explain_os_error
from local.graph import graph
from local.lock import hold_lock
from local.logs import logs
from local.next_steps import print_next_steps
from local.open_docs import open_docs
from local.platform import Platform
from local.smoke import smoke
from local.status import status
from local.workspace import STATE, LocalError, Workspace, read_workspace


def _start_platform(workspace: Workspace, *, prefer_official: bool) -> tuple[docker.DockerClient, str]:
    """Start what the stack needs around it; return the Docker client and the zone's id."""
    client = docker_engine.start()
    with hold_lock(f"start of platform {workspace.platform}"):
        gateway.check(client, workspace)
        route53.check(workspace)
        base_image.prepare(client, prefer_official=prefer_official)
        workspace.save_ports()
        hostname = stack_config.hostname(workspace)
        gateway.start(client, workspace, hostname=hostname, prefer_official=prefer_official)
        return client, route53.start(workspace)


def _prepare_stack(
    workspace: Workspace, *, prefer_official: bool = False, require_valid: bool = True
) -> docker.DockerClient:
    """Check the config, start the platform, and make the stack ready for a run."""
    recovery.terminate_plugins()
    recovery.repair_backend(STATE / "state")
    pulumi_stack.create(workspace)
    if require_valid:
        config_check.check(workspace)
    if stack_config.on_kubernetes(workspace):
        pulumi_tools.install_kubernetes_plugin()
    if stack_config.uses_local_cluster(workspace):
        lifecycle.require_running()
    client, zone = _start_platform(workspace, prefer_official=prefer_official)
    recovery.require_idle(workspace)
    stack_config.point_at_platform(workspace, zone=zone)
    recovery.recover(client, workspace, zone=zone)
    return client


def up(workspace: Workspace) -> None:
    """Deploy the stack, smoke-test it and print how to use it."""
    shared_platform.create_config(workspace)
    client = _prepare_stack(workspace, prefer_official=True)
    try:
        pulumi_stack.up(workspace)
    except LocalError as error:
        raise LocalError("\n".join(filter(None, (str(error), explain_unhealthy(workspace))))) from error
    smoke(workspace)
    prune.remove_old_images(
        client, stack_config.image_repository(workspace), keep=stack_config.keep_images(workspace)
    )
    print_next_steps(client, workspace)


def preview(workspace: Workspace) -> None:
    """Show what `make up` would change, and write the report, also of a failure before the preview."""
    try:
        shared_platform.create_config(workspace)
        _prepare_stack(workspace)
    except LocalError as error:
        pulumi_stack.write_failure(error)
        raise
    pulumi_stack.preview(workspace)


def down(workspace: Workspace) -> None:
    """Destroy the stack, and stop and remove what was started for it."""
    if not pulumi_stack.exists(workspace) and not workspace.config_file.is_file():
        raise LocalError(f"neither stack {workspace.stack} nor {workspace.config_file.name} exists. Check STACK.")
    shared_platform.require_unshared(workspace)
    if pulumi_stack.exists(workspace):
        recovery.require_idle(workspace)
        with suppress(LocalError, DockerException):
            docker_engine.start()  # without it, its sessions can't be counted
        if (engine := docker_engine.find()) is not None:
            gateway.require_own(engine, workspace)
        pulumi_stack.require_unprotected(workspace)
        backup.confirm_removal(workspace)
        try:
            _prepare_stack(workspace, require_valid=False)
            pulumi_stack.destroy(workspace)
        except (LocalError, DockerException) as error:
            if workspace.on:
                raise  # its resources in Kong and Route 53 would stay there
            say(
                f"{error}\nContinuing without Kong and Route 53: the stack's resources in them are removed with "
                "the platform."
            )
            recovery.require_idle(workspace)
            has_cluster = not stack_config.uses_local_cluster(workspace) or lifecycle.is_running()
            pulumi_stack.destroy_without_platform(workspace, has_cluster=has_cluster)
    if workspace.on:
        say(
            f"Removed stack {workspace.stack}; {workspace.config_file.name} is kept. Its platform is that of "
            f"stack {workspace.on}, which keeps running."
        )
        return
    route53.stop(workspace)
    client = docker_engine.find()
    if client is not None:
        Platform(client, workspace).remove()
    docker_engine.stop()
    workspace.forget_ports()
    kept = f"{workspace.config_file.name}, images, .venv and .local/"
    say(f"Removed stack {workspace.stack} and its platform. Kept for the next `make up`: {kept}")


EXCLUSIVE = ("cluster", "cluster-down", "down", "preview", "restore", "up")
"""Verbs of which one at a time runs on a stack."""

VERBS: dict[str, Callable[[Workspace], int | None]] = {
    "backup": backup.back_up,
    "cluster": lifecycle.up,
    "cluster-down": lifecycle.down,
    "down": down,
    "drift": drift,
    "graph": graph,
    "logs": logs,
    "open": open_docs,
    "preview": preview,
    "restore": backup.restore,
    "smoke": smoke,
    "status": status,
    "up": up,
}


def main() -> int:
    """Run one verb; return the exit code."""
    print_in_any_encoding()
    remove_foreign_variables()
    os.environ |= bypass_proxies()
    try:
        verb, workspace = sys.argv[1], read_workspace()
        lock = "cluster" if verb.startswith("cluster") else f"run on stack {workspace.stack}"
        with hold_lock(lock) if verb in EXCLUSIVE else nullcontext():
            return VERBS[verb](workspace) or 0
    except (LocalError, DockerException) as error:
        print(f"\nError: {add_hint(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as of `make logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit works
        return 1
    except OSError as error:
        if (message := explain_os_error(error)) is None:
            raise
        print(f"\nError: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Every step is safe to repeat; run the same command again.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
