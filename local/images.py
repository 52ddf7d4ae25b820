"""Docker images: pulled, or built from a folder of this project."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound

from local.console import Progress, say, step
from local.environment import build_environment
from local.workspace import ROOT, LocalError

BASE_IMAGE = "session-context-base:bookworm"
REGISTRY_SECONDS = 5
STEP = re.compile(r"Step (\d+)/(\d+) ")
Event = dict[str, Any]
"""One of the engine's events, as it sends them while it works."""
_printed: set[str] = set()


def has_image(client: docker.DockerClient, name: str) -> bool:
    """Return whether the engine has the image."""
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def pull_image(client: docker.DockerClient, name: str) -> bool:
    """Pull an image unless the engine has it; print why if that fails, and return whether it is there."""
    if has_image(client, name):
        return True
    try:
        # On a network that drops packets, the pull itself would hang for minutes.
        with (
            _open_quick_client() as quick,
            suppress(APIError),
        ):
            quick.api.inspect_distribution(name)  # type: ignore[no-untyped-call] # the stubs lack it
        events = client.api.pull(name, stream=True, decode=True)
        with step(f"Pulling {name}") as progress:
            # A full disk, for one, is an event of the stream, which the SDK's own pull ignores.
            errors = [event["error"] for event in _follow_pull(events, progress) if "error" in event]
    except requests.Timeout:
        errors = [f"no answer within {REGISTRY_SECONDS} s"]
    except (DockerException, requests.RequestException) as error:
        errors = [str(getattr(error, "explanation", None) or error)]
    if errors:
        _print_reason(name, errors[0])
    return not errors


def is_missing_in_registry(name: str, login: dict[str, str] | None) -> bool:
    """Return whether the registry says that it lacks the image. One that does not answer says nothing."""
    try:
        with _open_quick_client() as quick:
            quick.api.inspect_distribution(name, login)  # type: ignore[no-untyped-call] # the stubs lack it
    except NotFound:
        return True
    except (DockerException, requests.RequestException):
        return False
    return False


def _open_quick_client() -> "closing[docker.DockerClient]":
    """Return a client that waits for a registry no longer than `REGISTRY_SECONDS`."""
    return closing(docker.from_env(timeout=REGISTRY_SECONDS, environment=build_environment()))


def _follow_pull(events: Iterable[Event], progress: Progress) -> Iterator[Event]:
    """Pass the events of a pull on, and show how much of the layers known so far is downloaded."""
    layers: dict[str, tuple[int, int]] = {}
    for event in events:
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and "total" in detail:
            layers[event["id"]] = detail["current"], detail["total"]
            current, total = map(sum, zip(*layers.values(), strict=True))
            progress.detail = f"{current / 1e6:.0f} of {total / 1e6:.0f} MB"
        yield event


def build(client: docker.DockerClient, progress: Progress, **options: Any) -> None:  # noqa: ANN401 - the SDK's
    """Build an image and show its steps. Raises `BuildError`."""
    log: list[Event] = []
    for event in client.api.build(decode=True, rm=True, forcerm=True, **options):
        log.append(event)
        if found := STEP.match(event.get("stream", "")):
            progress.detail = f"step {found[1]} of {found[2]}"
        if "error" in event:
            raise BuildError(event["error"], iter(log))


def _print_reason(name: str, error: str) -> None:
    """Print the last part of the engine's error, which says what happened; the same one only once."""
    reason = error.rpartition(": ")[2].strip()
    say(f"Could not pull {name}: {'see above' if reason in _printed else reason}")
    _printed.add(reason)


def build_image(client: docker.DockerClient, folder: Path, tag: str) -> None:
    """Build an image from a folder on top of the base image, unless the engine has it."""
    if has_image(client, tag):
        return
    with step(f"Building {tag}") as progress:
        try:
            build(client, progress, path=str(folder), tag=tag, buildargs={"BASE_IMAGE": BASE_IMAGE})
        except DockerException as error:
            raise build_failure(str(folder.relative_to(ROOT)), error) from error


def build_failure(what: str, error: DockerException) -> LocalError:
    """Return the error of a failed build, with the end of its log."""
    log = error.build_log if isinstance(error, BuildError) else []
    lines = "".join(str(entry.get("stream", "")) for entry in log)
    return LocalError(f"the build of {what} failed: {error}\n{lines[-2000:]}")
