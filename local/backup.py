"""`make backup` and `make restore`: the sessions in a stack's volume, as one file on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local import stack
from local.machine import STATE, LocalError, Machine, environment
from local.steps import say, step

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


def back_up(machine: Machine) -> None:
    """Copy the sessions from a running container into FILE, which is there whole or not at all."""
    default = STATE / "backups" / f"{machine.stack}-{time.strftime('%Y%m%d-%H%M%S')}.db"
    file = Path(os.environ.get("FILE") or default)
    if file == default:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.parent.is_dir():
        raise LocalError(f"there is no folder {file.parent} for the backup")
    replica = _replicas(machine, running=True)[0]
    partial = file.with_name(f"{file.name}.partial")
    with step(f"Backing up the sessions of stack {machine.stack}"):
        try:
            partial.touch(mode=0o600)  # what clients store is nobody else's business
            with partial.open("wb") as goal:
                says = _service(machine, ["exec", replica], ["backup", "-"], output=goal)
                os.fsync(goal.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    say(f"{says}: {file}")


def restore(machine: Machine) -> None:
    """Put FILE in the place of the sessions. The API is down meanwhile, and comes back also where that fails."""
    given = os.environ.get("FILE")
    if not given or not Path(given).is_file():
        raise LocalError(f"FILE names no backup: make restore FILE=… ({given or 'it is not set'})")
    replicas = _replicas(machine, running=False)
    with (
        step(f"Restoring the sessions of stack {machine.stack}"),
        Path(given).open("rb") as source,
        _stopped(machine, replicas),
    ):
        says = _service(machine, _one_off(machine, replicas[0]), ["restore", "-"], given=source)
    say(says)


def removal_warning(machine: Machine) -> str:
    """How many sessions go with the stack's volume, and how to keep them; empty where none do."""
    keep = f"To keep them: make backup STACK={machine.stack} FILE=sessions.db"
    try:
        count = _count(machine)
    except LocalError as error:
        reason = str(error).splitlines()[-1]  # of a traceback
        return f"The sessions in the volume of stack {machine.stack} can't be counted ({reason}). {keep}"
    return f"Sessions in the volume of stack {machine.stack}, removed with it: {count}. {keep}" if count else ""


def confirm_removal(machine: Machine) -> None:
    """Say which sessions a removal of the stack takes along; on a terminal, ask first. Raises LocalError."""
    warning = removal_warning(machine)
    if not warning:
        return
    say(warning)
    if sys.stdin.isatty() and input("Remove them? Only 'yes' continues: ") != "yes":
        raise LocalError("nothing was removed")


def _count(machine: Machine) -> int:
    if not _docker(machine, ["volume", "ls", "--quiet", *_labels(machine)]):
        return 0
    try:
        within = ["exec", _replicas(machine, running=True)[0]]
    except LocalError:
        within = _one_off(machine, _replicas(machine, running=False)[0])
    return int(_docker(machine, [*within, "python3", "-c", _COUNT]))


@contextmanager
def _stopped(machine: Machine, replicas: list[str]) -> Iterator[None]:
    try:
        _docker(machine, ["stop", *replicas])
        yield
    finally:
        _docker(machine, ["start", *replicas])
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not _are_healthy(machine, replicas):
            if time.monotonic() > deadline:
                raise LocalError("the containers do not get healthy: see docker logs")
            time.sleep(0.5)


def _are_healthy(machine: Machine, replicas: list[str]) -> bool:
    states = _docker(machine, ["inspect", "--format", "{{.State.Health.Status}}", *replicas]).split()
    return set(states) == {"healthy"}


def _labels(machine: Machine) -> list[str]:
    return [word for label in stack.labels(machine) for word in ("--filter", f"label={label}")]


def _one_off(machine: Machine, replica: str) -> list[str]:
    """The beginning of a `docker run` with a container's image and volumes."""
    image = _docker(machine, ["inspect", "--format", "{{.Config.Image}}", replica])
    return ["run", "--rm", "-i", "--network", "none", "--user", _USER, "--volumes-from", replica, image]


def _replicas(machine: Machine, *, running: bool) -> list[str]:
    """Ids of the service's containers."""
    status = ["running"] if running else ["running", "exited"]
    filters = [word for each in status for word in ("--filter", f"status={each}")]
    found = _docker(machine, ["ps", "--all", "--quiet", *_labels(machine), *filters]).split()
    if not found:
        raise LocalError(f"no container of stack {machine.stack} runs: make up first")
    return found


def _service(
    machine: Machine,
    docker: list[str],
    arguments: list[str],
    *,
    given: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> str:
    """Run the service's own command in a container; the last line that it said."""
    done = subprocess.run(
        ["docker", *docker, "python3", "-m", "service", *arguments],
        env=_environment(machine),
        stdin=given or subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    says = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise LocalError(says)
    return says.splitlines()[-1]


def _docker(machine: Machine, arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments], env=_environment(machine), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalError("this needs the docker command: install Docker's CLI") from error
    if done.returncode:
        raise LocalError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _environment(machine: Machine) -> dict[str, str]:
    host = stack.docker_host(machine)
    return environment() | ({"DOCKER_HOST": host} if host else {})
