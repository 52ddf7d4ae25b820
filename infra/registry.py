"""The registry of the image: its credentials, and lookups of a tag."""

import os
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.config.groups import ImageConfig

TAG_NOT_FOUND = "404 Not Found"
"""In the plugin's error for a tag that does not exist: data_source_docker_registry_image.go."""


def registry_auth(config: ImageConfig) -> pulumi.Output[str] | None:
    """Return the plugin's `registryAuth`, for lookups and pulls: credentials of the config, or of `docker login`.

    The latter are not in the state: the plugin reads them where it runs, and fails if their file is missing.
    """
    host = config.registry
    if host is None:
        return None
    is_local = host.startswith(("127.", "localhost"))
    # Docker itself uses plain HTTP only for a registry on loopback.
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
    """Return the digest of a tag; None if it does not exist. Raises `pulumi.RunError` if the lookup fails."""
    try:
        found = docker.get_registry_image(name=tagged, opts=pulumi.InvokeOptions(parent=parent))
    except Exception as error:  # the SDK raises nothing narrower for a provider's function
        if TAG_NOT_FOUND in str(error):
            return None
        raise pulumi.RunError(
            f"imageRepository: {tagged} can't be looked up: {error}. Check that the registry answers, and log in "
            "with `docker login` or set registryUsername and registryPassword"
        ) from error
    return found.sha256_digest
