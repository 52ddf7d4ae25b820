"""Images that the state says were built or pushed, and that have been removed since."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker

from local import stack_config
from local.images import has_image, is_missing_in_registry
from local.workspace import Workspace

IMAGE = "docker:index/image:Image"
BUILT_FROM = "__inputs"
"""Where Docker's plugin keeps the inputs of an image's last build, which are all that it compares."""

STASH = "pulumi:index:Stash"
"""One keeps the digest that the registry had when a version was first deployed; empty if it was built here."""


@dataclass(frozen=True)
class LostImage:
    """An image that was removed, and the resource in the state that would keep `up` from building it again."""

    name: str
    where: str
    """Where it is missing."""

    resource: dict[str, Any]

    def force_rebuild(self) -> None:
        """Change the resource so that the next `up` builds and pushes. A taint would be lost in a refresh."""
        if self.resource["type"] == IMAGE:
            del self.resource["outputs"][BUILT_FROM]
        else:
            self.resource["inputs"]["input"] = ""
            self.resource["outputs"] |= {"input": "", "output": ""}


def find_lost_images(
    client: docker.DockerClient, workspace: Workspace, resources: list[dict[str, Any]]
) -> list[LostImage]:
    """Return the images in the state that their engine or registry lacks, for which no plugin looks."""
    built = [found for found in resources if found["type"] == IMAGE and BUILT_FROM in found.get("outputs", {})]
    lost = [
        LostImage(image["inputs"]["imageName"], "on the engine", image)
        for image in built
        if image["inputs"].get("skipPush") and not has_image(client, image["inputs"]["imageName"])
    ]
    pushed = list(_list_pushed(workspace, built, resources))
    login = stack_config.registry_login(workspace) if pushed else None
    return lost + [image for image in pushed if is_missing_in_registry(image.name, login)]


def _list_pushed(
    workspace: Workspace, built: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> Iterator[LostImage]:
    """Yield each image that must be in a registry, as `repository@sha256:…`."""
    for image in built:
        if not image["inputs"].get("skipPush"):
            yield LostImage(image["outputs"]["repoDigest"], "in its registry", image)
    for stash in resources:
        digest = stash.get("outputs", {}).get("output") if stash["type"] == STASH else None
        if isinstance(digest, str) and digest.startswith("sha256:"):  # the stack's other stashes keep other things
            name = f"{stack_config.image_repository(workspace)}@{digest}"
            yield LostImage(name, "in its registry", stash)
