"""The image in a registry: built once, run by its digest, and pulled if it is already there."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from tests.stack.clone import Clone, docker_client
from tests.stack.registry import PASSWORD, USER, Registry, serving

UP = "up --yes --skip-preview"


@pytest.fixture
def stack(clone: Clone) -> Iterator[Clone]:
    """Yield the clone, redeployed afterwards."""
    original = clone.file.read_text()
    yield clone
    clone.variables.clear()
    clone.file.write_text(original)
    clone.make("up")


def images_of(stack: Clone) -> set[str]:
    """Return the images of the containers."""
    with docker_client() as client:
        return {str(client.api.inspect_container(name)["Config"]["Image"]) for name in stack.containers()}


def forget_images(stack: Clone, registry: Registry) -> None:
    """Remove the names that the registry gave to images; another stack may use the image by its own name."""
    assert stack.containers() == []
    with docker_client() as client:
        for image in client.images.list(name=registry.repository):
            names = [name for name in (*image.tags, *image.attrs["RepoDigests"]) if registry.repository in name]
            for name in names:
                with suppress(ImageNotFound):
                    client.images.remove(name)


def test_an_image_is_built_once_and_pulled_from_then_on(stack: Clone, tmp_path: Path) -> None:
    with serving(tmp_path) as registry:
        stack.set("imageRepository", registry.repository)
        stack.pulumi(UP)
        [image] = images_of(stack)
        assert image.startswith(f"{registry.repository}@sha256:")
        assert stack.outputs()["image"] == image
        assert registry.uploads() == 1
        stack.pulumi("preview --refresh --expect-no-changes")

        stack.pulumi("destroy --yes")
        forget_images(stack, registry)
        stack.pulumi(UP)
        assert images_of(stack) == {image}
        assert registry.uploads() == 1
        assert "docker:index/image:Image" not in stack.pulumi("stack export")
        stack.pulumi("preview --refresh --expect-no-changes")

        stack.change_service()
        stack.pulumi(UP)
        assert registry.uploads() == 2
        assert images_of(stack) != {image}
        stack.pulumi("preview --refresh --expect-no-changes")


def test_an_image_that_its_registry_lost_is_pushed_again(stack: Clone, tmp_path: Path) -> None:
    """Else pods that start on another node, or containers on another engine, could not pull it."""
    with serving(tmp_path) as registry:
        stack.set("imageRepository", registry.repository)
        stack.make("up")
        registry.lose_images()
        assert "does not exist in its registry" in stack.make("drift", fails=True)
        assert "is missing in its registry" in stack.make("up")
        assert registry.uploads() == 2
        stack.pulumi("preview --refresh --expect-no-changes")

        stack.pulumi("destroy --yes")
        stack.pulumi(UP)  # which finds it in the registry, and builds nothing
        registry.lose_images()
        assert "is missing in its registry" in stack.make("up")
        assert registry.uploads() == 3
        stack.pulumi("preview --refresh --expect-no-changes")


def test_credentials_come_from_secrets_or_from_docker_login(stack: Clone, tmp_path: Path) -> None:
    with serving(tmp_path, with_login=True) as registry:
        stack.set("imageRepository", registry.repository)
        printed = stack.pulumi("preview", fails=True)
        assert f"imageRepository: {registry.repository}" in printed
        assert "401 Unauthorized" in printed

        stack.pulumi(f"config set registryUsername {USER}")
        stack.pulumi(f"config set --secret registryPassword {PASSWORD}")
        stack.pulumi(UP)
        [image] = images_of(stack)
        assert PASSWORD not in stack.pulumi("stack export")
        stack.pulumi("preview --refresh --expect-no-changes")

        stack.pulumi("destroy --yes")
        forget_images(stack, registry)
        for key in ("imageRepository", "registryUsername", "registryPassword"):
            stack.pulumi(f"config rm {key}")
        stack.set("image", image)
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
        stack.variables["DOCKER_CONFIG"] = str(tmp_path)
        stack.pulumi(UP)
        assert images_of(stack) == {image}
        assert registry.uploads() == 1
        stack.pulumi("preview --refresh --expect-no-changes")
