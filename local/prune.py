"""Removal of images of earlier versions from the engine; the newest are kept for a rollback."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import docker
from docker.errors import APIError, ImageNotFound
from docker.models.images import Image

from local.console import say

RECENT = timedelta(hours=1)
"""An image that was tagged more recently may be one that another stack's run is about to start."""


def remove_old_images(
    client: docker.DockerClient, repository: str, *, keep: int, spare: timedelta = RECENT
) -> None:
    """Remove the images of a repository except the newest and those that a container of any stack uses."""
    used = {container.attrs["ImageID"] for container in client.containers.list(all=True, sparse=True)}
    found = []
    for summary in client.api.images(name=repository):
        with suppress(ImageNotFound):  # another run removes images, too
            found.append(client.images.get(summary["Id"]))
    found.sort(key=_last_tagged, reverse=True)
    before = datetime.now(UTC) - spare
    old = [image for image in found[keep:] if image.id not in used and _last_tagged(image) < before]
    if removed := sum(_remove(client, image, repository) for image in old):
        noun = "image" if removed == 1 else "images"
        say(f"Removed {removed} {noun} of earlier versions (keepImages is {keep})")


def _last_tagged(image: Image) -> datetime:
    """Return when the image was last tagged: a build from the cache does not change `Created`."""
    times = (image.attrs["Created"], image.attrs.get("Metadata", {}).get("LastTagTime"))
    return max(datetime.fromisoformat(time) for time in times if time)


def _remove(client: docker.DockerClient, image: Image, repository: str) -> bool:
    """Remove an image by removing its names in the repository; return False if a container uses it."""
    names = [name for name in image.tags if name.rpartition(":")[0] == repository]
    names += [name for name in image.attrs["RepoDigests"] if name.partition("@")[0] == repository]
    for name in names:
        try:
            client.images.remove(name)
        except ImageNotFound:  # its digests are removed with its last tag
            continue
        except APIError:  # a container was just created from it
            return False
    return True
