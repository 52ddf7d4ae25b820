"""The speed of the stack: a preview and an `up` without changes, the image, and a container's start."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import docker
import requests
from docker.models.images import Image

from bench.report import Target, at_most
from bench.subjects import memory
from local.images import BASE_IMAGE
from tests.stack.clone import Clone, docker_client

_EMPTY = "name: empty\nruntime: {{name: python, options: {{virtualenv: {venv}}}}}\n"
_PREVIEW, _UP = "pulumi preview", "pulumi up --yes --skip-preview"
_MB = 1_000_000


def stack_targets(rounds: int) -> Iterator[Target]:
    """Bring up a clone, measure it, and remove it."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone(Path(folder) / "clone")
        try:
            clone.make("preview")  # starts the platform, and deploys nothing
            first = [_seconds(clone, clone.folder, f"{_PREVIEW} --stack {clone.stack}") for _ in range(rounds)]
            yield at_most("first preview, on an empty stack", median(first), 3, " s")
            clone.make("up")
            yield from _against_empty(clone, Path(folder) / "empty", rounds)
            with docker_client() as client:
                container = client.containers.get(clone.containers()[0])
                image = container.image
                assert image is not None  # noqa: S101 - for the type alone
                size = image.attrs["Size"] - client.images.get(BASE_IMAGE).attrs["Size"]
                yield at_most("image over its base", size / _MB, 100, " MB")
                starts, memories = zip(*(_start(client, image) for _ in range(rounds)), strict=True)
            yield at_most("container start to ready", median(starts), 1, " s")
            yield at_most("idle memory of a process", median(memories) / _MB, 80, " MB")
        finally:
            clone.make("down")


def _against_empty(clone: Clone, empty: Path, rounds: int) -> Iterator[Target]:
    empty.mkdir()
    (empty / "__main__.py").touch()
    (empty / "Pulumi.yaml").write_text(_EMPTY.format(venv=clone.folder / ".venv"))
    own = f"export PULUMI_BACKEND_URL=file://{empty} PULUMI_CONFIG_PASSPHRASE=empty PULUMI_STACK=bench && "
    commands = {
        "empty preview": (empty, own + _PREVIEW),
        "make preview": (clone.folder, "make preview"),
        "empty up": (empty, own + _UP),
        "no-op up": (clone.folder, f"{_UP} --stack {clone.stack}"),
    }
    _seconds(clone, empty, f"{own} pulumi stack init bench && {_UP}")
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (folder, command) in commands.items():
            times[name].append(_seconds(clone, folder, command))
    for name, other, aim in (("make preview", "empty preview", 2.5), ("no-op up", "empty up", 2)):
        mine, others = median(times[name]), median(times[other])
        shown = f"{name} ({mine:.1f} s) against an empty program's ({others:.1f} s)"
        yield at_most(shown, mine / others, aim, "×")


def _seconds(clone: Clone, folder: Path, command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(
        ["bash", "-c", f". {clone.folder}/activate && {command}"],
        cwd=folder,
        env=clone.environment(),
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - begin


def _start(client: docker.DockerClient, image: Image) -> tuple[float, int]:
    """Return the seconds until the service is ready, and its memory then."""
    container = client.containers.create(image)
    try:
        begin = time.perf_counter()
        container.start()
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        url = f"http://{networks['bridge']['IPAddress']}:8080/readyz"
        while not _is_ready(url):
            time.sleep(0.005)
        return time.perf_counter() - begin, memory(container.attrs["State"]["Pid"], "VmRSS")
    finally:
        container.remove(force=True, v=True)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.ConnectionError:
        return False


if __name__ == "__main__":
    for target in stack_targets(3):
        print(target)
