"""Docker images: pulled, or built from a folder of ours."""

from contextlib import closing, suppress
from pathlib import Path

import docker
import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from local.console import say, step
from local.workspace import ROOT, LocalError, build_environment

BASE_IMAGE = "session-context-base:bookworm"
REGISTRY_SECONDS = 5


def has_image(client: docker.DockerClient, name: str) -> bool:
    """Whether the engine has an image already."""
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def pull_image(client: docker.DockerClient, name: str) -> bool:
    """Have an image, pulled if need be; where it can't be pulled, say why and return False."""
    if has_image(client, name):
        return True
    try:
        # Without this look, a network that drops packets would hold each run for minutes.
        with (
            closing(docker.from_env(timeout=REGISTRY_SECONDS, environment=build_environment())) as quick,
            suppress(APIError),
        ):
            quick.api.inspect_distribution(name)  # type: ignore[no-untyped-call] # the stubs lack it
        events = client.api.pull(name, stream=True, decode=True)
        with step(f"Pulling {name}"):
            # A full disk, for one, is an event of the stream; the SDK's own pull would skip that.
            failures = [event["error"] for event in events if "error" in event]
    except requests.Timeout:
        failures = [f"no answer within {REGISTRY_SECONDS} s"]
    except (DockerException, requests.RequestException) as error:
        failures = [str(getattr(error, "explanation", None) or error)]
    if failures:
        say(f"{name} can't be pulled: {failures[0]}")
    return not failures


def build_image(client: docker.DockerClient, folder: Path, tag: str) -> None:
    """Build an image of ours from a folder, on the base image, unless the engine has it."""
    if has_image(client, tag):
        return
    with step(f"Building {tag}"):
        try:
            client.images.build(
                path=str(folder), tag=tag, buildargs={"BASE_IMAGE": BASE_IMAGE}, rm=True, forcerm=True
            )
        except DockerException as error:
            raise build_failure(str(folder.relative_to(ROOT)), error) from error


def build_failure(what: str, error: DockerException) -> LocalError:
    """The error of a build, with the end of what it said."""
    log = error.build_log if isinstance(error, BuildError) else []
    lines = "".join(str(entry.get("stream", "")) for entry in log)
    return LocalError(f"{what} does not build: {error}\n{lines[-2000:]}")
