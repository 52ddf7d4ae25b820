"""`make backup` and `make restore`: the sessions in a stack's volume, as one file on this machine."""

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
from local.workspace import STATE, LocalError, Workspace, build_environment

_HEALTHY_SECONDS = 60
_USER = "10001:10001"
_COUNT = """\
import os, sqlite3
count = 0
if os.path.exists("data/sessions.db"):
    db = sqlite3.connect("file:data/sessions.db?mode=ro", uri=True)
    [count] = db.execute("SELECT count(*) FROM sessions").fetchone()
print(count)
"""


def back_up(workspace: Workspace) -> None:
    """Copy the sessions from a running container into FILE, which is there whole or not at all."""
    default = STATE / "backups" / f"{workspace.stack}-{time.strftime('%Y%m%d-%H%M%S')}.db"
    file = Path(os.environ.get("FILE") or default)
    if file == default:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.parent.is_dir():
        raise LocalError(f"there is no folder {file.parent} for the backup")
    replica = _replicas(workspace, running=True)[0]
    partial = file.with_name(f"{file.name}.partial")
    with step(f"Backing up the sessions of stack {workspace.stack}"):
        try:
            partial.touch(mode=0o600)  # what clients store is nobody else's business
            with partial.open("wb") as goal:
                says = _service(workspace, ["exec", replica], ["backup", "-"], output=goal)
                os.fsync(goal.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    say(f"{says}: {file}")


def restore(workspace: Workspace) -> None:
    """Put FILE in the place of the sessions. The API is down meanwhile, and comes back also where that fails."""
    given = os.environ.get("FILE")
    if not given or not Path(given).is_file():
        raise LocalError(f"FILE names no backup: make restore FILE=… ({given or 'it is not set'})")
    replicas = _replicas(workspace, running=False)
    with (
        step(f"Restoring the sessions of stack {workspace.stack}"),
        Path(given).open("rb") as source,
        _stopped(workspace, replicas),
    ):
        says = _service(workspace, _one_off(workspace, replicas[0]), ["restore", "-"], given=source)
    say(says)


def removal_warning(workspace: Workspace) -> str:
    """How many sessions go with the stack's volume, and how to keep them; empty where none do."""
    keep = f"To keep them: make backup STACK={workspace.stack} FILE=sessions.db"
    try:
        count = _count(workspace)
    except LocalError as error:
        reason = str(error).splitlines()[-1]  # of a traceback
        return f"The sessions in the volume of stack {workspace.stack} can't be counted ({reason}). {keep}"
    return f"Sessions in the volume of stack {workspace.stack}, removed with it: {count}. {keep}" if count else ""


def confirm_removal(workspace: Workspace) -> None:
    """Say which sessions a removal of the stack takes along; on a terminal, ask first. Raises LocalError."""
    warning = removal_warning(workspace)
    if not warning:
        return
    say(warning)
    if sys.stdin.isatty() and input("Remove them? Only 'yes' continues: ") != "yes":
        raise LocalError("nothing was removed")


def _count(workspace: Workspace) -> int:
    if not _docker(workspace, ["volume", "ls", "--quiet", *_labels(workspace)]):
        return 0
    try:
        within = ["exec", _replicas(workspace, running=True)[0]]
    except LocalError:
        within = _one_off(workspace, _replicas(workspace, running=False)[0])
    return int(_docker(workspace, [*within, "python3", "-c", _COUNT]))


@contextmanager
def _stopped(workspace: Workspace, replicas: list[str]) -> Iterator[None]:
    try:
        _docker(workspace, ["stop", *replicas])
        yield
    finally:
        _docker(workspace, ["start", *replicas])
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not _are_healthy(workspace, replicas):
            if time.monotonic() > deadline:
                raise LocalError("the containers do not get healthy: see docker logs")
            time.sleep(0.5)


def _are_healthy(workspace: Workspace, replicas: list[str]) -> bool:
    states = _docker(workspace, ["inspect", "--format", "{{.State.Health.Status}}", *replicas]).split()
    return set(states) == {"healthy"}


def _labels(workspace: Workspace) -> list[str]:
    return [word for label in stack_config.labels(workspace) for word in ("--filter", f"label={label}")]


def _one_off(workspace: Workspace, replica: str) -> list[str]:
    """The beginning of a `docker run` with a container's image and volumes."""
    image = _docker(workspace, ["inspect", "--format", "{{.Config.Image}}", replica])
    return ["run", "--rm", "-i", "--network", "none", "--user", _USER, "--volumes-from", replica, image]


def _replicas(workspace: Workspace, *, running: bool) -> list[str]:
    """Ids of the service's containers."""
    status = ["running"] if running else ["running", "exited"]
    filters = [word for each in status for word in ("--filter", f"status={each}")]
    found = _docker(workspace, ["ps", "--all", "--quiet", *_labels(workspace), *filters]).split()
    if not found:
        raise LocalError(f"no container of stack {workspace.stack} runs: make up first")
    return found


def _service(
    workspace: Workspace,
    docker: list[str],
    arguments: list[str],
    *,
    given: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> str:
    """Run the service's own command in a container; the last line that it said."""
    done = subprocess.run(
        ["docker", *docker, "python3", "-m", "service", *arguments],
        env=_environment(workspace),
        stdin=given or subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    says = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise LocalError(says)
    return says.splitlines()[-1]


def _docker(workspace: Workspace, arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments], env=_environment(workspace), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalError("this needs the docker command: install Docker's CLI") from error
    if done.returncode:
        raise LocalError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _environment(workspace: Workspace) -> dict[str, str]:
    host = stack_config.docker_host(workspace)
    return build_environment() | ({"DOCKER_HOST": host} if host else {})
