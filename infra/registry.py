"""The registry of the image: how Docker's plugin logs in, and whether it has a tag already."""

import os
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.config.groups import ImageConfig

ABSENT = "404 Not Found"
"""What the plugin says of a tag that its registry does not have: data_source_docker_registry_image.go."""


def registry_auth(config: ImageConfig) -> pulumi.Output[str] | None:
    """Return what the plugin takes as `registryAuth`: the config's credentials, or those of `docker login`.

    The plugin uses it to look up a tag and to pull. Of the credentials that Docker's tools keep, the state holds
    nothing: the plugin reads them on the machine that runs it, and fails if their file is missing.
    """
    host = config.registry
    if host is None:
        return None
    is_local = host.startswith(("127.", "localhost"))
    # The engine itself accepts plain HTTP of a registry on loopback alone.
    auth: dict[str, Any] = {"address": f"http://{host}" if is_local else host}
    if config.registry_password:
        auth |= {"username": config.registry_username, "password": config.registry_password}
    elif is_local and not _docker_config().is_file():
        auth |= {"authDisabled": True}
    elif not _docker_config().is_file():
        return None  # a public image needs no login
    return pulumi.Output.json_dumps([auth])


def _docker_config() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def find_digest(tagged: str, *, parent: pulumi.Resource) -> str | None:
    """Return the digest of a tag; None if the registry does not have it. Raises `pulumi.RunError`."""
    try:
        found = docker.get_registry_image(name=tagged, opts=pulumi.InvokeOptions(parent=parent))
    except Exception as error:  # the SDK has no narrower one for a function of a provider
        if ABSENT in str(error):
            return None
        raise pulumi.RunError(
            f"imageRepository: {tagged} can't be looked up: {error}. Check that the registry answers, and log in "
            "with `docker login` or set registryUsername and registryPassword"
        ) from error
    return found.sha256_digest
