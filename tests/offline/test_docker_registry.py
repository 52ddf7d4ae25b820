"""The stand-in for Docker's plugin and a registry: as strict as the plugin about names and credentials."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from infra.plugin import PluginError
from infra.props import Props
from offline.docker_plugin.engine_client import EngineClient
from offline.docker_plugin.image import Image
from tests.stack.clone import docker_client
from tests.stack.registry import PASSWORD, USER, Registry, serving

LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(tmp_path, with_login=True) as registry:
        yield registry


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


def engine(registry: Registry, **auth: object) -> EngineClient:
    """Return the stand-in's engine, configured as the program configures the plugin."""
    configured = EngineClient()
    entry = {"address": f"http://{registry.host}", **auth}
    configured.configure({"context": "", "registryAuth": json.dumps([entry])})
    return configured


def image_inputs(folder: Path, of: Registry, /, **more: object) -> Props:
    (folder / "context").mkdir(exist_ok=True)
    (folder / "context" / "Dockerfile").write_text(f"FROM scratch\nLABEL of={of.host}\n")
    build = {"context": str(folder / "context"), "dockerfile": str(folder / "context" / "Dockerfile")}
    return {
        "imageName": f"{of.repository}:1",
        "skipPush": False,
        "build": {**build, "platform": "linux/amd64"},
    } | more


def test_an_image_is_pushed_and_found_by_its_digest(
    client: docker.DockerClient, registry: Registry, tmp_path: Path
) -> None:
    there = engine(registry, **LOGIN)
    inputs = image_inputs(tmp_path, registry, registry={"server": registry.host, **LOGIN})
    with pytest.raises(PluginError, match="404 Not Found"):
        there.registries.get_image({"name": inputs["imageName"]})
    image = Image(there)
    _, outputs = image.create("urn", inputs, preview=False)
    found = there.registries.get_image({"name": inputs["imageName"]})
    assert outputs["repoDigest"] == f"{registry.repository}@{found['sha256Digest']}"
    other = inputs | {"registry": {"server": registry.host, "username": "other", "password": "other"}}
    assert image.diff(image.recorded(outputs), other) == set()
    client.images.remove(inputs["imageName"])


def test_a_wrong_password_is_refused(client: docker.DockerClient, registry: Registry, tmp_path: Path) -> None:
    wrong = {**LOGIN, "password": "wrong"}
    there = engine(registry, **wrong)
    inputs = image_inputs(tmp_path, registry, registry={"server": registry.host, **wrong})
    with pytest.raises(PluginError, match="bad credentials: 401 Unauthorized"):
        there.registries.get_image({"name": inputs["imageName"]})
    with pytest.raises(PluginError, match=r"error reading push output: .*(no basic auth|unauthorized)"):
        Image(there).create("urn", inputs, preview=False)
    client.images.remove(inputs["imageName"])


def test_credentials_of_docker_login_are_found(
    client: docker.DockerClient, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(PluginError, match="could not open config file"):
        engine(registry)
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
    there = engine(registry)
    inputs = image_inputs(tmp_path, registry)
    Image(there).create("urn", inputs, preview=False)
    assert there.registries.get_image({"name": inputs["imageName"]})["sha256Digest"].startswith("sha256:")
    client.images.remove(inputs["imageName"])


def test_a_name_without_its_registry_can_not_be_pushed(registry: Registry, tmp_path: Path) -> None:
    inputs = image_inputs(tmp_path, registry, imageName="session-context:1")
    with pytest.raises(PluginError, match="fully qualified"):
        Image(engine(registry, **LOGIN)).check("urn", inputs, {})
