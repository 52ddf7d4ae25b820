"""`make backup` and `make restore`: a stack's sessions as one file on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local import stack_config
from local.console import say, step
from local.docker_cli import docker, environment, find_containers, label_filters
from local.gateway import look_up_targets
from local.waiting import attempts
from local.workspace import STATE, LocalError, Workspace

_HEALTHY_SECONDS = 60
_USER = "10001:10001"
_SCRATCH_URL = "sqlite:////tmp/check/sessions.db"  # in a container that ends with the check
_COUNT = """\
import os, sqlite3
count = 0
if os.path.exists("data/sessions.db"):
    db = sqlite3.connect("file:data/sessions.db?mode=ro", uri=True)
    [count] = db.execute("SELECT count(*) FROM sessions").fetchone()
print(count)
"""


def back_up(workspace: Workspace) -> None:
    """Copy the sessions from a running container into FILE, which is complete or does not exist."""
    _require_volume(workspace)
    default = STATE / "backups" / f"{workspace.stack}-{time.strftime('%Y%m%d-%H%M%S')}.db"
    file = Path(os.environ.get("FILE") or default)
    if file == default:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.parent.is_dir():
        raise LocalError(f"folder {file.parent} does not exist. Create it, or choose another FILE.")
    container = find_containers(workspace, "running")[0]
    partial = file.with_name(f"{file.name}.partial")
    replaced = " in place of an earlier file" if file.exists() else ""
    with step(f"Backing up the sessions of stack {workspace.stack}"):
        try:
            partial.touch(mode=0o600)  # only this user may read what clients store
            with partial.open("wb") as target:
                summary = _run_service(workspace, ["exec", container], ["backup", "-"], output=target)
                os.fsync(target.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    say(f"Saved as {file}{replaced}; {summary}")


def restore(workspace: Workspace) -> None:
    """Replace the sessions by those in FILE, once that is found to be a backup.

    The API is down meanwhile; it returns also if the restore fails.
    """
    name = os.environ.get("FILE")
    if not name or not Path(name).is_file():
        problem = f"there is no file {name}" if name else "FILE is not set"
        raise LocalError(f"{problem}. Name the backup to restore: make restore FILE=sessions.db")
    _require_volume(workspace)
    containers = find_containers(workspace, "running", "exited")
    with step(f"Checking {name}"), Path(name).open("rb") as source:
        elsewhere = _run_command(workspace, containers[0], database_url=_SCRATCH_URL)
        _run_service(workspace, elsewhere, ["restore", "-"], source=source)
    _confirm_restore(workspace, name)
    with (
        step(f"Restoring the sessions of stack {workspace.stack}"),
        Path(name).open("rb") as source,
        _stopped(workspace, containers),
    ):
        one_off = _run_command(workspace, containers[0])
        summary = _run_service(workspace, one_off, ["restore", "-"], source=source)
    say(summary)


def _confirm_restore(workspace: Workspace, name: str) -> None:
    """Print how many sessions are replaced, and on a terminal ask for confirmation. Raises `LocalError`."""
    count = count_sessions(workspace)
    if not count:
        return
    keep = f"make backup STACK={workspace.stack} FILE=before.db"
    say(f"Sessions of stack {workspace.stack}, replaced by those in {name}: {count}. To keep them: {keep}")
    if sys.stdin.isatty() and input("Replace them? Type yes to continue: ") != "yes":
        raise LocalError("canceled; nothing was replaced")


def removal_warning(workspace: Workspace) -> str:
    """Return how many sessions go with the stack's volume, and how to keep them; empty if there are none."""
    keep = f"To keep them: make backup STACK={workspace.stack} FILE=sessions.db"
    try:
        count = count_sessions(workspace)
    except LocalError as error:
        reason = str(error).splitlines()[-1]  # of a traceback
        return f"The sessions in the volume of stack {workspace.stack} can't be counted ({reason}). {keep}"
    fate = "removed with it"
    if stack_config.keeps_data(workspace):
        fate += " unless the last `up` had keepData"
    return f"Sessions in the volume of stack {workspace.stack}, {fate}: {count}. {keep}" if count else ""


def confirm_removal(workspace: Workspace) -> None:
    """Print which sessions go with the stack, and on a terminal ask for confirmation. Raises `LocalError`."""
    warning = removal_warning(workspace)
    if not warning:
        return
    say(warning)
    if sys.stdin.isatty() and input("Delete them? Type yes to continue: ") != "yes":
        raise LocalError("canceled; nothing was removed")


def count_sessions(workspace: Workspace) -> int:
    """Return how many sessions the stack's volume has. Raises `LocalError`."""
    if not docker(workspace, ["volume", "ls", "--quiet", *label_filters(workspace)]):
        return 0
    try:
        prefix = ["exec", find_containers(workspace, "running")[0]]
    except LocalError:
        prefix = _run_command(workspace, find_containers(workspace, "running", "exited")[0])
    return int(docker(workspace, [*prefix, "python3", "-c", _COUNT]))


@contextmanager
def _stopped(workspace: Workspace, containers: list[str]) -> Iterator[None]:
    try:
        docker(workspace, ["stop", *containers])
        yield
    finally:
        docker(workspace, ["start", *containers])
        look_up_targets(workspace, stack_config.upstream(workspace))
        if not any(_are_healthy(workspace, containers) for _ in attempts(_HEALTHY_SECONDS)):
            raise LocalError(f"the containers did not become healthy. See `docker logs {containers[0]}`.")


def _are_healthy(workspace: Workspace, containers: list[str]) -> bool:
    states = docker(workspace, ["inspect", "--format", "{{.State.Health.Status}}", *containers]).split()
    return set(states) == {"healthy"}


def _run_command(workspace: Workspace, container: str, *, database_url: str = "") -> list[str]:
    """Return the beginning of a `docker run` with the image of a container.

    It has the container's volumes too, unless it is for another database.
    """
    image = docker(workspace, ["inspect", "--format", "{{.Config.Image}}", container])
    data = ["--env", f"DATABASE_URL={database_url}"] if database_url else ["--volumes-from", container]
    return ["run", "--rm", "-i", "--network", "none", "--user", _USER, *data, image]


def _require_volume(workspace: Workspace) -> None:
    if stack_config.uses_postgresql(workspace):
        raise LocalError(
            f"the sessions of stack {workspace.stack} are in PostgreSQL: use pg_dump and pg_restore, as "
            "docs/operations.md says"
        )


def _run_service(
    workspace: Workspace,
    command: list[str],
    arguments: list[str],
    *,
    source: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> str:
    """Run a command of the service in a container, and return its last line on standard error."""
    done = subprocess.run(
        ["docker", *command, "python3", "-m", "service", *arguments],
        env=environment(workspace),
        stdin=source or subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    messages = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise LocalError(messages)
    return messages.splitlines()[-1]
