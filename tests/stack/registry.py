"""Debian's registry on a loopback port, public or with one user."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml

from local.debian import find_program
from tests.ports import free_port
from tests.waiting import wait_for

USER, PASSWORD = "deployer", "canary-of-the-registry"
_BCRYPT = "$2b$05$fBi.YJLV0L5LM2H4UdPXseJQ0Uhz4XkJjFwYmL.ZNJfp9KcH/zc7i"


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    images: Path
    log: Path

    @property
    def repository(self) -> str:
        return f"{self.host}/session-context"

    def lose_images(self) -> None:
        """Remove all images, as a registry that was set up again."""
        shutil.rmtree(self.images)

    def uploads(self) -> int:
        """Return how many manifests were pushed."""
        return sum('"PUT ' in line and "/manifests/" in line for line in self.log.read_text().splitlines())


@contextmanager
def serving(folder: Path, *, with_login: bool = False) -> Iterator[Registry]:
    """Run a registry that stores its images in the folder."""
    registry = Registry(f"127.0.0.1:{free_port()}", folder / "images", folder / "registry.log")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(registry.images)}},
        "http": {"addr": registry.host},
    }
    if with_login:
        (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "registry.yml").write_text(yaml.safe_dump(config))
    with registry.log.open("wb") as log:
        process = subprocess.Popen(
            [find_program("docker-registry"), "serve", str(folder / "registry.yml")], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: _answers(registry))
        yield registry
    finally:
        process.terminate()
        process.wait()


def _answers(registry: Registry) -> bool:
    try:
        return requests.get(f"http://{registry.host}/v2/", timeout=5).status_code in (200, 401)
    except requests.ConnectionError:
        return False
